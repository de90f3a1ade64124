package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"
)

// errEngineSilent ends a worker that has not reached the engine for a while. A daemon that was restarted by hand has made
// a new socket in the old one's place, and only a container that starts anew gets to see it; while the daemon is really
// away, the worker could do nothing, and Docker starts it again when it is back.
var errEngineSilent = errors.New("the engine does not answer; ending, to be started anew with the socket it has now")

const (
	engineLook    = 3 * time.Second
	engineSilence = time.Minute
	// engineGone is enough when nobody listens at all: that never passes on the socket we have.
	engineGone = 12 * time.Second
	pingTime   = 10 * time.Second
)

// silence asks every so often and returns errEngineSilent once nothing has answered for a minute, or nobody has listened
// for a few seconds; nil when ctx ends before.
func silence(ctx context.Context, ping func(context.Context) error) error {
	tick := time.NewTicker(engineLook)
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
		case time.Since(heard) >= patience(err) && ctx.Err() == nil:
			return fmt.Errorf("%w: %w", errEngineSilent, err)
		}
	}
}

// patience is how long an error is borne with.
func patience(err error) time.Duration {
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT) {
		return engineGone
	}
	return engineSilence
}

func (w *Worker) enginePing(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	// The client keeps to itself why it could not connect, so the socket is asked first.
	if err := listens(ctx, w.config.Docker.Host); err != nil {
		return err
	}
	_, err := w.engine.Info(ctx)
	return err
}

// listens tells with the system's own error when nobody listens on a unix socket.
func listens(ctx context.Context, host string) error {
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
