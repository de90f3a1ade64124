package main

import (
	"chatiere/cmd/internal/testbed"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// running is a peer in its container.
type running struct {
	peer
	addr      string
	pid       int
	container string
}

// start runs a peer that knows so many routes, and waits until it answers.
func (b *bench) start(ctx context.Context, p peer, routes int) (*running, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, strings.ReplaceAll(p.name, " ", "-"))
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	files, err := p.files(b, port, routes)
	if err != nil {
		return nil, err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	r := &running{peer: p, addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), container: fmt.Sprintf("chatiere-bench-%d-%d", os.Getpid(), port)}
	if err := r.launch(ctx, b, dir); err != nil {
		return nil, err
	}
	if err := r.await(ctx, b); err != nil {
		output, _ := os.ReadFile(filepath.Join(dir, "output"))
		return nil, errors.Join(fmt.Errorf("%s: %w\n%.3000s", p.name, err, output), r.stop())
	}
	return r, nil
}

// launch starts the container. All peers have the machine's network, and no filter on their system calls, which would
// cost the more the more of them a program makes. What they print goes into a file.
func (r *running) launch(ctx context.Context, b *bench, dir string) error {
	args := append([]string{
		"run", "-d", "--rm", "--name", r.container, "--network", "host", "--security-opt", "seccomp=unconfined",
		"-v", b.dir + ":" + b.dir, "-v", b.chatiere + ":/usr/local/bin/chatiere:ro",
		"-w", dir, "-e", "HOME=" + dir, b.image, "sh", "-c", `exec "$@" >output 2>&1`, "sh",
	}, r.argv...)
	if _, err := testbed.Docker(ctx, args...); err != nil {
		return err
	}
	var err error
	if r.pid, err = testbed.PID(ctx, r.container); err != nil {
		return errors.Join(err, r.stop())
	}
	return nil
}

// startTimeout is how long a program may take until it answers, with 10,000 routes too.
const startTimeout = 3 * time.Minute

// await asks for the page until it comes.
func (r *running) await(ctx context.Context, b *bench) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return testbed.Await(ctx, startTimeout, 100*time.Millisecond, r.name, func() error { return b.request(ctx, r.addr) })
}

func (r *running) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, err := testbed.Docker(ctx, "rm", "-f", r.container)
	return err
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
