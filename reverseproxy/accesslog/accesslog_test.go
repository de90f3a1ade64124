package accesslog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"chatiere/reverseproxy/accesslog"
)

// written collects, and tells of each write.
type written struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	writes chan int
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	n, err := w.buf.Write(p)
	w.mu.Unlock()
	w.writes <- n
	return n, err
}

func run(t *testing.T, w io.Writer, fields ...string) (l *accesslog.Log, end func(), logs *bytes.Buffer) {
	t.Helper()
	logs = new(bytes.Buffer)
	l = accesslog.New(w, fields...)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Run(ctx, slog.New(slog.NewTextHandler(logs, nil)))
	}()
	return l, func() { stop(); <-done }, logs
}

func TestEveryValueComesBackAsItWas(t *testing.T) {
	w := &written{writes: make(chan int, 100)}
	l, end, _ := run(t, w, "role", "proxy", "odd", "\n")
	when := time.Date(2026, 11, 22, 8, 0, 0, 123, time.UTC)
	values := []string{"", "plain", `a"b\c`, "tab\tline\nreturn\rzero\x00del\x7f", "été ☺ 漢", "bad\xffbytes\xc3", "\u2028\u2029", "</script>"}
	for _, v := range values {
		l.Add(&accesslog.Line{Time: when, Request: v, Site: v, Host: v, Method: v, Path: v, Proto: v, From: v, Status: 200, In: 1, Out: 2, Took: 3, Whole: true})
	}
	end()
	lines := strings.Split(strings.TrimSuffix(w.buf.String(), "\n"), "\n")
	if len(lines) != len(values) {
		t.Fatalf("%d lines: %q", len(lines), lines)
	}
	for i, line := range lines {
		var got map[string]any
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		want := strings.ToValidUTF8(values[i], "\ufffd")
		for _, key := range []string{"request", "site", "host", "method", "path", "proto", "network"} {
			if got[key] != want {
				t.Errorf("%s: %q, want %q", key, got[key], want)
			}
		}
		if got["status"] != 200.0 || got["in"] != 1.0 || got["out"] != 2.0 || got["took"] != 3.0 || got["whole"] != true ||
			got["role"] != "proxy" || got["time"] != when.Format(time.RFC3339Nano) || got["msg"] != "request" || got["level"] != "INFO" {
			t.Errorf("%v", got)
		}
	}
}

func TestManyLinesAreFewWritesAndNoneWaitsForLong(t *testing.T) {
	w := &written{writes: make(chan int, 1000)}
	l, end, _ := run(t, w)
	l.Add(&accesslog.Line{Path: "/alone"})
	select {
	case <-w.writes:
	case <-time.After(5 * time.Second):
		t.Fatal("a line waits for others")
	}
	for range 1000 {
		l.Add(&accesslog.Line{Path: "/many"})
	}
	end()
	if n := len(w.writes); n > 10 {
		t.Errorf("%d writes", n)
	}
	if n := strings.Count(w.buf.String(), "\n"); n != 1001 {
		t.Errorf("%d lines", n)
	}
}

// stuck takes nothing until it is let go.
type stuck struct{ release chan struct{} }

func (s stuck) Write(p []byte) (int, error) {
	<-s.release
	return len(p), nil
}

func TestAReaderThatIsStuckHoldsNobodyUp(t *testing.T) {
	w := stuck{release: make(chan struct{})}
	l, end, logs := run(t, w)
	line := &accesslog.Line{Path: strings.Repeat("x", 512)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20000 {
			l.Add(line)
		}
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("requests wait for the log")
	}
	close(w.release)
	end()
	if !strings.Contains(logs.String(), "dropped") {
		t.Errorf("what is missing is not said: %s", logs)
	}
}
