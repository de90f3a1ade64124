// Package middleware holds what every request of the panel passes through, one concern a file.
//
// It must not know sessions, principals or pages: what it needs of them it is given as functions.
package middleware
