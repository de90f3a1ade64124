// Package failpoint stops operations at failure points, so that a test can kill the worker there. It is part of programs that
// are built with the tag failpoint alone, as deploy/test.sh and deploy/soak.sh do, and does nothing unless the environment
// names a directory.
//
// A test arms a point by making the file <kind>~<step>~<point> in the directory. The first operation that reaches the
// point renames the file to <kind>~<step>~<point>~<operation>.held and blocks until its context ends: it must be
// killed. A file with ".all" appended to its name stops every operation at the point. Points that are not armed cost two
// look-ups in a directory.
//
// In addition, each operation writes the point it passed last to the directory's Trace, so that a test that kills the
// worker knows where it was.
package failpoint

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"chatiere/tenants/operations"
)

// Variable is the environment variable that names the directory.
const Variable = "CHATIERE_HOLD_DIR"

// SlotsVariable sets the number of operations of each lane that run at a time; 0 for the usual number, when only the trace is needed.
const SlotsVariable = "CHATIERE_HOLD_SLOTS"

// Trace is the directory below it with one file for each operation, <kind>~<step>~<point>.
const Trace = "trace"

// manySlots operations can be stopped at the same time, so that one kill tests many points.
const manySlots = 64

// FromEnvironment returns the function for operations.Runner.AtPoint and the slots a runner then needs; nil in any
// installation.
func FromEnvironment(getenv func(string) string, log *slog.Logger) (at func(context.Context, operations.Operation, string, operations.Point), n int) {
	dir := getenv(Variable)
	if dir == "" {
		return nil, 0
	}
	slots, err := strconv.Atoi(getenv(SlotsVariable))
	if err != nil {
		slots = manySlots
	}
	log.Warn("failure points may stop operations: this is a test", "directory", dir, "slots", slots)
	trace := filepath.Join(dir, Trace)
	if err := os.MkdirAll(trace, 0o700); err != nil {
		log.Error("the trace of operations cannot be written", "error", err)
	}
	return func(ctx context.Context, op operations.Operation, step string, p operations.Point) {
		writeTrace(trace, op.ID, Name(op.Kind, step, p))
		armed := filepath.Join(dir, Name(op.Kind, step, p))
		held := armed + "~" + op.ID + ".held"
		if os.Rename(armed, held) == nil || os.Link(armed+".all", held) == nil {
			<-ctx.Done()
		}
	}, slots
}

// writeTrace replaces an operation's trace file atomically. On a full disk the old one stays.
func writeTrace(trace, op, word string) {
	fresh := filepath.Join(trace, "."+op)
	if os.WriteFile(fresh, []byte(word), 0o600) == nil {
		_ = os.Rename(fresh, filepath.Join(trace, op))
	}
}

// Name returns the file that arms a point.
func Name(kind, step string, p operations.Point) string { return kind + "~" + step + "~" + string(p) }
