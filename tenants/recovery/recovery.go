// Package recovery keeps a panic in one goroutine from ending the whole process: Go ends a program when any of its
// goroutines panics, and with a role everything it looks after would stop. It must not know what the goroutines do.
// Start reading at Log.
package recovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// ErrPanic marks an error that was a panic: a fault of the program, which no retry mends.
var ErrPanic = errors.New("panic")

// Pauses between two starts of what panicked; the second is reached by doubling.
const (
	firstPause = time.Second
	maxPause   = time.Minute
)

// Log ends a goroutine that panicked and logs the panic with its stack. Defer it first, so that what is deferred after it
// has run by then.
func Log(log *slog.Logger, what string) {
	if p := recover(); p != nil {
		report(log, what, p)
	}
}

// Error turns a panic of the function that defers it into its error, which wraps ErrPanic and holds the stack.
func Error(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v\n%s", ErrPanic, p, debug.Stack())
	}
}

// Keep runs fn until it returns. After a panic it logs it, waits a second, later up to a minute, and runs fn again, until
// ctx ends.
func Keep(ctx context.Context, log *slog.Logger, what string, fn func(context.Context)) {
	for pause := firstPause; runOnce(ctx, log, what, fn); pause = min(2*pause, maxPause) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func runOnce(ctx context.Context, log *slog.Logger, what string, fn func(context.Context)) (yes bool) {
	defer func() {
		if p := recover(); p != nil {
			report(log, what, p)
			yes = true
		}
	}()
	fn(ctx)
	return false
}

func report(log *slog.Logger, what string, p any) {
	log.Error("a goroutine panicked", "what", what, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
}
