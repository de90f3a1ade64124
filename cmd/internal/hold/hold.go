// Package hold stops operations at failure points, so that a test can kill the worker there. It does nothing unless the
// environment names a directory, which no installation does.
//
// A test arms a point by making the file <kind>~<step>~<point> in the directory. The first operation that reaches the
// point renames the file to <kind>~<step>~<point>~<operation>.held and stands still until its context ends: it must be
// killed. A file with ".all" behind its name holds every operation that comes by. Points that are not armed cost two
// looks at a directory.
//
// Beside that, each operation leaves word in the directory's Trace of the point it has passed last, so that whoever kills
// the worker knows where it was.
package hold

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

// SlotsVariable may say how many operations are worked on at a time: 0 as in any installation, where nothing is to stand
// still and only the trace is wanted.
const SlotsVariable = "CHATIERE_HOLD_SLOTS"

// Trace is the directory below it with one file for each operation, <kind>~<step>~<point>.
const Trace = "trace"

// manySlots may stand still beside each other, so that one kill serves many points.
const manySlots = 64

// FromEnvironment returns the function for operations.Runner.At and the slots a runner then needs; nil in any
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
	log.Warn("failure points may hold operations: this is a test", "directory", dir, "slots", slots)
	trace := filepath.Join(dir, Trace)
	if err := os.MkdirAll(trace, 0o700); err != nil {
		log.Error("nothing will tell where operations are", "error", err)
	}
	return func(ctx context.Context, op operations.Operation, step string, p operations.Point) {
		leave(trace, op.ID, Name(op.Kind, step, p))
		armed := filepath.Join(dir, Name(op.Kind, step, p))
		held := armed + "~" + op.ID + ".held"
		if os.Rename(armed, held) == nil || os.Link(armed+".all", held) == nil {
			<-ctx.Done()
		}
	}, slots
}

// leave replaces an operation's word at once, so that no kill leaves half of one. A disk without room leaves the old one.
func leave(trace, op, word string) {
	fresh := filepath.Join(trace, "."+op)
	if os.WriteFile(fresh, []byte(word), 0o600) == nil {
		_ = os.Rename(fresh, filepath.Join(trace, op))
	}
}

// Name returns the file that arms a point.
func Name(kind, step string, p operations.Point) string { return kind + "~" + step + "~" + string(p) }
