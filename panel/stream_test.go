package panel_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"chatiere/tenants/operations"
)

// finish sets an operation's state as a worker would.
func (w *world) finish(id string, state operations.State) {
	w.t.Helper()
	ctx := w.t.Context()
	for {
		op, err := w.records.Claim(ctx, "test", operations.Lanes(), time.Minute)
		must(w.t, err)
		if op.ID != id {
			continue
		}
		switch state {
		case operations.Done:
			must(w.t, w.records.End(ctx, id, op.Lease.Fence, state, func(context.Context) error { return nil }))
		default:
			must(w.t, w.records.SetState(ctx, id, op.Lease.Fence, state, "retries_exhausted", "detail"))
		}
		return
	}
}

// events reads a stream's events until it ends.
func events(res *http.Response) <-chan string {
	out := make(chan string, 100)
	go func() {
		defer close(out)
		defer func() { _ = res.Body.Close() }()
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if text := lines.Text(); text != "" {
				out <- text
			}
		}
	}()
	return out
}

func next(t *testing.T, from <-chan string, want string) string {
	t.Helper()
	limit := time.After(10 * time.Second)
	for {
		select {
		case line, open := <-from:
			if !open {
				t.Fatalf("the stream ended before %q", want)
			}
			if strings.Contains(line, want) {
				return line
			}
		case <-limit:
			t.Fatalf("waited in vain for %q", want)
		}
	}
}

func ended(t *testing.T, from <-chan string) {
	t.Helper()
	limit := time.After(10 * time.Second)
	for {
		select {
		case line, open := <-from:
			if !open {
				return
			}
			if strings.Contains(line, "event: end") {
				t.Error("told that the operation is over")
			}
		case <-limit:
			t.Fatal("the stream goes on")
		}
	}
}

func TestAStreamShowsProgressAndEndsWithTheOperation(t *testing.T) {
	w := newWorld(t)
	w.towns()
	op := w.operation("lilas", operations.Queued)
	res := w.open(w.signIn(ali), ask{path: "/operations/" + op.ID + "/events"})
	if res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("answers %d %v", res.StatusCode, res.Header)
	}
	lines := events(res)
	next(t, lines, "event: progress")
	next(t, lines, `id="op-steps"`)
	next(t, lines, ": alive")
	w.finish(op.ID, operations.Done)
	next(t, lines, "event: progress")
	next(t, lines, "event: end")
	for range lines { // the body ends too
	}
}

func TestAStreamEndsWhenItsReaderLosesTheRight(t *testing.T) {
	w := newWorld(t)
	w.towns()
	op := w.operation("lilas", operations.Queued)
	lines := events(w.open(w.signIn(ali), ask{path: "/operations/" + op.ID + "/events"}))
	next(t, lines, ": alive")
	w.issuer.Regroup("/assos/tulipes/membres")
	w.clock.Advance(6 * time.Minute)
	ended(t, lines)
	by := w.signIn(lea)
	lines = events(w.open(by, ask{path: "/api/v1/operations/" + op.ID + "/events"}))
	next(t, lines, `"association":"lilas"`)
	w.do(by, ask{method: "POST", path: "/auth/logout"})
	ended(t, lines)
}

func TestStreamsAreCappedPerSession(t *testing.T) {
	w := newWorld(t)
	w.towns()
	op := w.operation("lilas", operations.Queued)
	by := w.signIn(ali)
	var open []*http.Response
	for range 6 {
		open = append(open, w.open(by, ask{path: "/operations/" + op.ID + "/events"}))
	}
	if r := w.do(by, ask{path: "/operations/" + op.ID + "/events"}); r.status != http.StatusTooManyRequests {
		t.Errorf("the seventh answers %d", r.status)
	}
	other := w.open(w.signIn(lea), ask{path: "/operations/" + op.ID + "/events"})
	if other.StatusCode != http.StatusOK {
		t.Errorf("somebody else gets %d", other.StatusCode)
	}
	for _, res := range append(open, other) {
		_ = res.Body.Close()
	}
	await(t, "room for another stream", func() bool {
		res := w.open(by, ask{path: "/operations/" + op.ID + "/events"})
		defer func() { _ = res.Body.Close() }()
		return res.StatusCode == http.StatusOK
	})
}

func TestStoppingEndsStreamsAndWaits(t *testing.T) {
	w := newWorld(t)
	w.towns()
	op := w.operation("lilas", operations.Queued)
	lines := events(w.open(w.signIn(ali), ask{path: "/operations/" + op.ID + "/events"}))
	next(t, lines, "event: progress")
	begin := time.Now()
	w.stop()
	ended(t, lines)
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("stopping took %s", took)
	}
}

func TestTheLastReaderTakesThePollerAlong(t *testing.T) {
	w := newWorld(t)
	w.towns()
	op := w.operation("lilas", operations.Stuck)
	lines := events(w.open(w.signIn(ali), ask{path: "/operations/" + op.ID + "/events"}))
	next(t, lines, "event: end") // a person is needed: nothing to wait for
}
