// Package setup makes a data root: its directories, configuration file, secrets, certificates and the files that the
// containers of the platform read at their start.
//
// It may be run any number of times and be killed at any point: every file appears whole or not at all, what is there
// and good is kept, and the configuration file is never changed once it exists. It needs the machine's root, and it
// must not know Docker or a database. Start reading at Run.
package setup
