// Package process runs the tasks of a repository in a process of their own, so that the memory that packing and hashing
// need is bounded and given back, the machine's sites come first, and cancelling ends everything at once.
//
// The parent ([Runner]) starts its own program with a verb that calls [Serve]. It sends a request as one line of JSON on the
// child's standard input and reads events, one line each, from its standard output. A database dump goes through a third
// pipe, into the child or out of it. A child whose parent has died reads the end of its input and exits.
package process
