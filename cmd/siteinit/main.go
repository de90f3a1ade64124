// Command siteinit is the first process of a site's container. It starts the
// site's programs and reaps what they leave, answers DNS with one loopback
// address per name, and carries connections to those addresses to the gateway;
// called as sendmail, it is that command. It imports nothing of the rest of the
// module and knows nothing of templates, sites or rules. Start at run.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
)

const usage = `siteinit                                      start what /etc/siteinit.json says
siteinit run -- command args…                 names and egress for one command
siteinit forward [-each n [-sites dir [-deaths dir]]] [-grace 10s] <listen> <dial> [-- command args…]
                                              addresses: unix:/path, tcp:host:port

Called by the name sendmail, it sends the mail on standard input.
`

// Exit codes of our own; otherwise a process's code is passed on.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	tuneGC()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT)
	code := 0
	if filepath.Base(os.Args[0]) == "sendmail" {
		code = sendMail(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	} else {
		code = run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	}
	stop()
	os.Exit(code)
}

// tuneGC trades processor time for memory, which is needed once per site.
func tuneGC() {
	debug.SetGCPercent(25)
	debug.SetMemoryLimit(16 << 20)
	runtime.GOMAXPROCS(min(2, runtime.NumCPU()))
}

func run(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) int {
	verb, rest := "", args
	if len(args) > 0 && args[0][:min(1, len(args[0]))] != "-" {
		verb, rest = args[0], args[1:]
	}
	switch verb {
	case "":
		return serve(ctx, rest, env, stdout, stderr)
	case "run":
		return runOne(ctx, rest, env, stdout, stderr)
	case "forward":
		return forwardVerb(ctx, rest, stdout, stderr)
	}
	_, _ = fmt.Fprint(stderr, usage)
	return exitUsage
}
