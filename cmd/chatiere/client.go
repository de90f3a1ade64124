package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"chatiere/cmd/internal/apiclient"
	"chatiere/panel/api"
)

// client connects to the panel that the environment, the flags or this machine names.
func (p *program) client() (*apiclient.Client, error) { return apiclient.Connect(p.place()) }

// place says where to look for the instance that is meant.
func (p *program) place() apiclient.Target {
	hint := ""
	if self, err := os.Executable(); err == nil {
		hint = filepath.Join(filepath.Dir(filepath.Dir(self)), ".demo", "socket")
	}
	return apiclient.Target{
		Socket: p.variable("CHATIERE_SOCKET"), URL: p.variable("CHATIERE_URL"), Token: p.variable("CHATIERE_TOKEN"),
		CA: p.variable("CHATIERE_CA"), Config: cmp.Or(p.configPath, p.variable("CHATIERE_CONFIG")), Env: p.env, Hint: hint,
	}
}

// variable returns the last value the environment gives a name, "" for none.
func (p *program) variable(name string) string {
	for _, v := range slices.Backward(p.env) {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// with runs fn with a client.
func (p *program) with(fn func(ctx context.Context, c *apiclient.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		return fn(cmd.Context(), c, args)
	}
}

// get is with for a verb that reads one thing, from a path that may depend on its arguments, and shows it.
func get[T any](p *program, path func(args []string) string, show func(T) error) func(*cobra.Command, []string) error {
	return p.with(func(ctx context.Context, c *apiclient.Client, args []string) error {
		var answer T
		if err := c.Get(ctx, path(args), &answer); err != nil {
			return err
		}
		return show(answer)
	})
}

// at is the path of a verb that needs no argument.
func at(path string) func([]string) string { return func([]string) string { return path } }

// query puts the values that are not empty behind a path.
func query(path string, values map[string]string) string {
	q := url.Values{}
	for name, value := range values {
		if value != "" {
			q.Set(name, value)
		}
	}
	return path + "?" + q.Encode()
}

// below is the path of a verb whose argument is one of a collection.
func below(collection string, more ...string) func([]string) string {
	return func(args []string) string { return api.Item(collection, args[0], more...) }
}

// outcomeError is an operation that ended otherwise than wished.
type outcomeError struct{ op api.Operation }

func (e outcomeError) Error() string {
	text := fmt.Sprintf("operation %s ended %s", e.op.ID, e.op.State)
	if e.op.State == "stuck" {
		text = fmt.Sprintf("operation %s needs a person", e.op.ID)
	}
	if e.op.Problem != "" {
		text += " (" + e.op.Problem + ")"
	}
	if e.op.Detail != "" {
		text += ": " + e.op.Detail
	}
	return text
}

func (e outcomeError) code() int {
	if e.op.State == "stuck" {
		return api.ExitStuck
	}
	return api.ExitFailed
}

// remoteCode returns the exit code of what a panel answered; false when the error is another.
func remoteCode(err error) (int, bool) {
	var outcome outcomeError
	if errors.As(err, &outcome) {
		return outcome.code(), true
	}
	var told *api.Error
	if errors.As(err, &told) {
		return api.Exit(told.Code), true
	}
	if errors.Is(err, apiclient.ErrNoPanel) {
		return api.ExitUnavailable, true
	}
	return 0, false
}

// explain adds the fields at fault to an error's own sentence.
func explain(err error) string {
	var told *api.Error
	if !errors.As(err, &told) {
		return err.Error()
	}
	lines := []string{told.Message}
	for _, f := range told.Faults {
		lines = append(lines, "  "+f.Field+": "+faultWords(f))
	}
	return strings.Join(lines, "\n")
}

// faultWords says what is wrong with a field and what would be right.
func faultWords(f api.Fault) string {
	switch {
	case f.Code == "invisible":
		return fmt.Sprintf("invisible characters in it (without them: %q)", f.Proposal)
	case f.Field == "slug" && f.Code == "missing":
		return "none can be made from this name; give one: --slug " + f.Proposal
	case f.Proposal != "":
		return f.Code + " (free: " + f.Proposal + ")"
	}
	return f.Code
}

// await polls an operation to its end, telling each step as it is done.
func (p *program) await(ctx context.Context, c *apiclient.Client, op api.Operation) (api.Operation, error) {
	told, progress := 0, ""
	for {
		told, progress = p.tell(op, told), p.printProgress(op, progress)
		if op.Ended() {
			break
		}
		if err := c.Get(ctx, api.Item(api.PathOperations, op.ID)+"?wait=30s", &op); err != nil {
			return op, err
		}
	}
	if op.State != "done" {
		return op, outcomeError{op}
	}
	return op, nil
}

// tell prints the steps that were done since the last look to stderr; not in JSON, which is for programs.
func (p *program) tell(op api.Operation, told int) int {
	done := 0
	for _, s := range op.Steps {
		if s.State != "done" {
			continue
		}
		if done++; done > told && !p.json {
			_, _ = fmt.Fprintf(p.stderr, "  %s (%d/%d)\n", s.Name, done, len(op.Steps))
		}
	}
	return max(done, told)
}

// printProgress prints the progress of the running step, if it reports any and that has changed since the last call.
func (p *program) printProgress(op api.Operation, told string) string {
	line := ""
	for _, s := range op.Steps {
		if s.Progress != nil {
			line = fmt.Sprintf("  %s: %s", s.Name, progressText(*s.Progress))
		}
	}
	if line != "" && line != told && !p.json {
		_, _ = fmt.Fprintln(p.stderr, line)
	}
	return line
}

// progressText is such as "42 % of 3000000 bytes", or "1200 files" where nobody knows of how many.
func progressText(p api.Progress) string {
	if p.Total <= 0 {
		return fmt.Sprintf("%d %s", p.Done, p.Unit)
	}
	return fmt.Sprintf("%.0f %% of %d %s", 100*float64(p.Done)/float64(p.Total), p.Total, p.Unit)
}

// list prints a row of each item.
func list[T any](p *program, v any, header string, items []T, row func(T) []string) error {
	var rows [][]string
	for _, item := range items {
		rows = append(rows, row(item))
	}
	return p.table(v, header, rows)
}

// table prints rows under a header, in aligned columns.
func (p *program) table(v any, header string, rows [][]string) error {
	if p.json {
		return p.answer(v, "")
	}
	w := tabwriter.NewWriter(p.stdout, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, header)
	for _, r := range rows {
		_, _ = fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	return w.Flush()
}

// when prints an instant in the machine's time zone.
func when(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }
