package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"chatiere/reverseproxy/certs"
	"chatiere/reverseproxy/load"
)

// bench is what the measurements of a proxy share.
type bench struct {
	self, chatiere, image  string // our own path, the product's, and the image with the peers
	dir                    string // everything that is written lies here
	socket, cert, key, ca  string
	rounds, requests, idle int
	routes, manyRoutes     int
	only                   string // one peer's name, for those who look into one
	log                    io.Writer
}

// protocols are measured one after the other, with as much in flight.
var protocols = []struct {
	name  string
	shape shape
}{
	{"h1", shape{conns: 64, streams: 1}},
	{"h2", shape{h2: true, conns: 16, streams: 8}},
}

func proxySection(ctx context.Context, args []string, log io.Writer) (err error) {
	b := &bench{log: log}
	flags := flag.NewFlagSet("proxy", flag.ContinueOnError)
	flags.StringVar(&b.chatiere, "chatiere", "bin/chatiere", "the product's binary")
	flags.StringVar(&b.image, "image", "chatiere/bench:latest", "image with nginx, haproxy and caddy")
	flags.IntVar(&b.rounds, "rounds", 31, "rounds of which the median is taken")
	flags.IntVar(&b.requests, "requests", 6000, "requests of a round")
	flags.IntVar(&b.idle, "idle", 1000, "idle connections")
	flags.IntVar(&b.routes, "routes", 1000, "routes that ours has while requests are measured")
	flags.IntVar(&b.manyRoutes, "many", 10000, "routes while memory is measured")
	flags.StringVar(&b.only, "only", "", "measure nothing but requests, of this peer and nginx")
	document := flags.String("document", "docs/benchmarks.md", "where the section is written")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := b.prepare(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	backend := exec.CommandContext(ctx, b.self, "backend", "-socket", b.socket)
	backend.Cancel = func() error { return backend.Process.Signal(os.Interrupt) }
	if err := backend.Start(); err != nil {
		return err
	}
	defer func() { _ = errors.Join(backend.Cancel(), backend.Wait()) }() // it has nothing to tell
	began, before := time.Now(), machineLoad()
	f, err := b.measure(ctx)
	if err != nil {
		return err
	}
	f.began, f.took, f.loadBefore, f.loadAfter = began, time.Since(began), before, machineLoad()
	return writeSection(*document, "proxy", f.markdown(b))
}

// prepare makes the directory and the certificate that all share.
func (b *bench) prepare() (err error) {
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.chatiere, err = filepath.Abs(b.chatiere); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("/var/tmp", "chatiere-bench"); err != nil {
		return err
	}
	dirs := certs.Dirs{CA: filepath.Join(b.dir, "ca"), Leaf: filepath.Join(b.dir, "certs")}
	b.socket, b.ca = filepath.Join(b.dir, "backend.sock"), filepath.Join(dirs.Leaf, certs.CAFile)
	b.cert, b.key = filepath.Join(dirs.Leaf, certs.LeafFile), filepath.Join(dirs.Leaf, certs.KeyFile)
	if _, err := certs.EnsureLocal(dirs, []string{benchDomain}, time.Now); err != nil {
		return err
	}
	// Some of them drop their rights before they read it.
	return errors.Join(os.Chmod(b.dir, 0o755), os.Chmod(dirs.Leaf, 0o755), os.Chmod(b.key, 0o644))
}

// pair is certificate and key in one, as HAProxy wants them.
func (b *bench) pair() (string, error) {
	cert, err := os.ReadFile(b.cert)
	if err != nil {
		return "", err
	}
	key, err := os.ReadFile(b.key)
	return string(cert) + string(key), err
}

func (b *bench) request(ctx context.Context, addr string) error {
	t, err := b.target(addr)
	if err != nil {
		return err
	}
	fleet, err := load.Open(ctx, t, 1)
	if err != nil {
		return err
	}
	_, err = fleet.Fetch(1)
	return errors.Join(err, fleet.Close())
}

// measure does everything that ends in the document.
func (b *bench) measure(ctx context.Context) (*figures, error) {
	f := &figures{cpu: make(map[string][]sample), idle: make(map[string]idleMemory), many: make(map[string]int64)}
	if err := b.measureRequests(ctx, f); err != nil || b.only != "" {
		return f, err
	}
	for _, p := range peers() {
		if p.name == "nginx tuned" {
			continue // differs by nothing that takes memory before a request comes
		}
		if err := b.measureMemory(ctx, p, f); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			// What was measured is not lost for that; the row says it.
			_, _ = fmt.Fprintln(b.log, err)
		}
	}
	return f, nil
}

// measureRequests has all peers running at once, and asks one of them at a time, in an order that changes.
func (b *bench) measureRequests(ctx context.Context, f *figures) (err error) {
	var all []*running
	defer func() {
		for _, r := range all {
			err = errors.Join(err, r.stop())
		}
	}()
	for _, p := range peers() {
		if b.only != "" && p.name != b.only && p.name != "nginx" {
			continue
		}
		routes := 1
		if p.name == ours {
			routes = b.routes
		}
		r, err := b.start(ctx, p, routes)
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	for round := range b.rounds {
		_, _ = fmt.Fprintf(b.log, "round %d of %d\n", round+1, b.rounds)
		for _, proto := range protocols {
			rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			for _, r := range all {
				s, err := b.round(ctx, r, proto.shape)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", r.name, proto.name, err)
				}
				f.cpu[r.name+" "+proto.name] = append(f.cpu[r.name+" "+proto.name], s)
			}
		}
	}
	return nil
}

// sample is one round of one peer in one protocol.
type sample struct {
	cpu    time.Duration // per request, of the whole process tree
	rate   float64       // requests per second
	cipher string
}

func (b *bench) round(ctx context.Context, r *running, s shape) (sample, error) {
	s.warm, s.requests = b.requests/10, b.requests
	l, err := startLoad(ctx, b, r.addr, s)
	if err != nil {
		return sample{}, err
	}
	before, err := processorTime(r.pid)
	if err != nil {
		return sample{}, errors.Join(err, l.end())
	}
	o, err := l.run()
	if err != nil {
		return sample{}, errors.Join(err, l.end())
	}
	after, err := processorTime(r.pid)
	if err = errors.Join(err, l.end()); err != nil {
		return sample{}, err
	}
	spent, err := after.since(before)
	return sample{cpu: spent / time.Duration(b.requests), rate: float64(b.requests) / o.Took.Seconds(), cipher: o.Cipher}, err
}

// median of durations, and how far the rounds lie apart.
func median(samples []sample) (mid, low, high time.Duration) {
	var all []time.Duration
	for _, s := range samples {
		all = append(all, s.cpu)
	}
	slices.Sort(all)
	return all[len(all)/2], all[0], all[len(all)-1]
}
