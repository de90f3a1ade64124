package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"chatiere/cmd/internal/testbed"
	"chatiere/reverseproxy/load"
)

// settleTime is how long a program has to free memory before that is read.
const settleTime = 5 * time.Second

// idleMemory is what a peer takes with no connection, and more with each that is idle; KiB.
type idleMemory struct {
	fresh  int64
	h1, h2 float64 // per connection
}

func (b *bench) target(addr string) (load.Target, error) {
	pem, err := os.ReadFile(b.ca)
	if err != nil {
		return load.Target{}, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return load.Target{Addr: addr, Host: benchHost, Path: "/", Size: pageSize, Roots: roots, Streams: 1}, nil
}

// measureMemory reads a peer's memory with idle connections, each in a fresh process, and with many routes.
func (b *bench) measureMemory(ctx context.Context, p peer, f *figures) error {
	_, _ = fmt.Fprintf(b.log, "memory of %s\n", p.name)
	var m idleMemory
	for _, proto := range protocols {
		fresh, held, err := b.idleConnections(ctx, p, proto.shape.h2)
		if err != nil {
			return fmt.Errorf("%s, idle connections: %w", p.name, err)
		}
		each := float64(held-fresh) / float64(b.idle)
		if m.fresh = fresh; proto.shape.h2 {
			m.h2 = each
		} else {
			m.h1 = each
		}
	}
	f.idle[p.name] = m
	r, err := b.start(ctx, p, b.manyRoutes)
	if err != nil {
		return err
	}
	kib, err := settled(ctx, r)
	f.many[p.name] = kib
	return errors.Join(err, r.stop())
}

// idleConnections has each connection ask for the page once, and then say nothing.
func (b *bench) idleConnections(ctx context.Context, p peer, h2 bool) (fresh, held int64, err error) {
	routes := 1
	if p.name == ours {
		routes = b.routes
	}
	r, err := b.start(ctx, p, routes)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	if fresh, err = settled(ctx, r); err != nil {
		return 0, 0, err
	}
	l, err := startLoad(ctx, b, r.addr, shape{h2: h2, conns: b.idle})
	if err != nil {
		return 0, 0, err
	}
	held, err = settled(ctx, r)
	return fresh, held, errors.Join(err, l.end())
}

func settled(ctx context.Context, r *running) (int64, error) {
	if !testbed.Sleep(ctx, settleTime) {
		return 0, ctx.Err()
	}
	return proportional(r.pid)
}
