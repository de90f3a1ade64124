package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"chatiere/tenants"
)

// errEngineSilent ends a worker that has not reached the engine for a while. A daemon that was restarted by hand has replaced
// its socket, and only a restarted container sees the new one; while the daemon is really away, the worker could do nothing,
// and Docker restarts it later.
var errEngineSilent = errors.New("the engine does not answer; ending, to be restarted with its present socket")

const (
	engineInterval = 3 * time.Second
	engineTimeout  = time.Minute
	// engineGoneTimeout applies when nobody listens at all: on a replaced socket that never passes.
	engineGoneTimeout = 12 * time.Second
	pingTimeout       = 10 * time.Second
)

// watchEngine pings the engine regularly and returns errEngineSilent once it has not answered for a minute, or nobody has
// listened for a few seconds; nil when ctx ends before.
func watchEngine(ctx context.Context, ping func(context.Context) error) error {
	tick := time.NewTicker(engineInterval)
	defer tick.Stop()
	heard := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := ping(ctx)
		switch {
		case err == nil:
			heard = time.Now()
		case time.Since(heard) >= engineTolerance(err) && ctx.Err() == nil:
			return fmt.Errorf("%w: %w", errEngineSilent, err)
		}
	}
}

// engineTolerance is how long an error may last.
func engineTolerance(err error) time.Duration {
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT) {
		return engineGoneTimeout
	}
	return engineTimeout
}

// Engine is the container engine, as far as the worker pings it.
type Engine struct {
	Host   string // address of its socket
	Client interface {
		Info(ctx context.Context) (tenants.EngineInfo, error)
	}
}

func (e Engine) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	// The client hides why it could not connect, so the socket is checked first.
	if err := checkListening(ctx, e.Host); err != nil {
		return err
	}
	_, err := e.Client.Info(ctx)
	return err
}

// checkListening returns the system's own error when nobody listens on a unix socket.
func checkListening(ctx context.Context, host string) error {
	path, unix := strings.CutPrefix(host, "unix://")
	if !unix {
		return nil
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("asking the engine: %w", err)
	}
	return conn.Close()
}
