package wire

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errEngineSilent ends a worker that has not reached the engine for a while. A daemon that was restarted by hand has made
// a new socket in the old one's place, and only a container that starts anew gets to see it; while the daemon is really
// away, the worker could do nothing, and Docker starts it again when it is back.
var errEngineSilent = errors.New("the engine does not answer; ending, to be started anew with the socket it has now")

const (
	engineLook    = 10 * time.Second
	engineSilence = time.Minute
)

// silence asks every so often and returns errEngineSilent once nothing has answered for limit; nil when ctx ends before.
func silence(ctx context.Context, ping func(context.Context) error, every, limit time.Duration) error {
	tick := time.NewTicker(every)
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
		case time.Since(heard) >= limit && ctx.Err() == nil:
			return fmt.Errorf("%w: %w", errEngineSilent, err)
		}
	}
}

func (w *Worker) enginePing(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, engineLook)
	defer cancel()
	_, err := w.engine.Info(ctx)
	return err
}
