//go:build integration

package kopia_test

func init() { trees = 200 }
