// Package config is the only reader of the configuration file and of the environment.
//
// It turns chatiere.yaml, overridden by CHATIERE_… variables, into a checked Config, and reports every fault at once.
// Passwords and keys are not in the file: a Config only says where they lie, and each role reads its own.
// It must not know what the roles do with it. Start reading at Load; keys.go lists every key there is.
package config
