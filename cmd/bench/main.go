// Command bench measures Chatière beside the programs people would pick instead, in the same run on the same machine,
// and writes what it finds into its part of a document. deploy/bench.sh prepares what it needs. Start reading at run;
// proxy.go is the course of the proxy's measurements, peers.go says what it is compared with.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// errUsage is a command line that makes no sense.
var errUsage = errors.New("usage: bench proxy|sites|load|backend [flags]")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	verb := ""
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	err := errUsage
	switch verb {
	case "proxy":
		err = proxySection(ctx, args, stderr)
	case "sites":
		err = sitesSection(ctx, args, stderr)
	case "load":
		err = loadProcess(ctx, args, stdin, stdout)
	case "backend":
		err = backendProcess(ctx, args)
	}
	if err == nil {
		return 0
	}
	_, _ = fmt.Fprintln(stderr, "bench:", err)
	return 1
}
