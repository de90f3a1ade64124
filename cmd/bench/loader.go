package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"chatiere/reverseproxy/load"
)

// outcome is what a load process tells at its end.
type outcome struct {
	Took   time.Duration `json:"took"`
	Cipher string        `json:"cipher"`
}

// loadProcess opens connections, warms up, says "ready", waits for a line, sends the requests, and tells the outcome.
// Then it waits for another line before it closes its connections.
func loadProcess(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	var t load.Target
	flags.StringVar(&t.Addr, "addr", "", "host:port to dial")
	flags.StringVar(&t.Host, "host", "", "host to ask for")
	flags.StringVar(&t.Path, "path", "/", "page to ask for")
	flags.Int64Var(&t.Size, "size", pageSize, "bytes of the page")
	flags.BoolVar(&t.HTTP2, "h2", false, "speak HTTP/2")
	flags.IntVar(&t.Streams, "streams", 1, "requests in flight on one connection")
	ca := flags.String("ca", "", "authority of the certificate")
	conns := flags.Int("conns", 1, "connections")
	warm := flags.Int("warm", 0, "requests before it counts")
	requests := flags.Int("requests", 0, "requests that count")
	if err := flags.Parse(args); err != nil {
		return err
	}
	pem, err := os.ReadFile(*ca)
	if err != nil {
		return err
	}
	t.Roots = x509.NewCertPool()
	t.Roots.AppendCertsFromPEM(pem)
	fleet, err := load.Open(ctx, t, *conns)
	if err != nil {
		return err
	}
	defer fleet.Close()
	if _, err := fleet.Fetch(*warm); err != nil {
		return fmt.Errorf("warming up: %w", err)
	}
	lines := bufio.NewScanner(stdin)
	if _, err := fmt.Fprintln(stdout, "ready"); err != nil || !lines.Scan() {
		return errors.Join(err, lines.Err())
	}
	took, err := fleet.Fetch(*requests)
	if err != nil {
		return err
	}
	err = json.NewEncoder(stdout).Encode(outcome{Took: took, Cipher: fleet.Cipher()})
	lines.Scan()
	return errors.Join(err, lines.Err())
}

// loader is a load process as its parent sees it.
type loader struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// shape is how much is asked, and over what.
type shape struct {
	h2                             bool
	conns, streams, warm, requests int
}

// startLoad returns when the process is ready.
func startLoad(ctx context.Context, b *bench, addr string, s shape) (*loader, error) {
	cmd := exec.CommandContext(ctx, b.self, "load", "-addr", addr, "-host", benchHost, "-path", "/2026/11/un-article/", "-ca", b.ca,
		"-h2="+strconv.FormatBool(s.h2), "-conns", strconv.Itoa(s.conns), "-streams", strconv.Itoa(max(s.streams, 1)),
		"-warm", strconv.Itoa(s.warm), "-requests", strconv.Itoa(s.requests))
	cmd.Stderr = os.Stderr
	l := &loader{cmd: cmd}
	var err error
	if l.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	l.out = bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if line, err := l.out.ReadString('\n'); err != nil || line != "ready\n" {
		return nil, errors.Join(fmt.Errorf("load process on %s did not get ready", addr), err, l.end())
	}
	return l, nil
}

// run lets the requests go and waits for them.
func (l *loader) run() (outcome, error) {
	if _, err := io.WriteString(l.in, "go\n"); err != nil {
		return outcome{}, err
	}
	line, err := l.out.ReadBytes('\n')
	if err != nil {
		return outcome{}, fmt.Errorf("waiting for the load process: %w", err)
	}
	var o outcome
	return o, json.Unmarshal(line, &o)
}

func (l *loader) end() error {
	return errors.Join(l.in.Close(), l.cmd.Wait())
}
