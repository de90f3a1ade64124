package recovery_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatiere/reverseproxy/recovery"
)

func TestAPanicIsLoggedWithItsStackAndEndsItsGoroutineAlone(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer recovery.Log(log, "counting sheep")
		panic("a wolf")
	}()
	<-done
	for _, want := range []string{"counting sheep", "a wolf", "recovery_test.go"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log lacks %q: %s", want, out.String())
		}
	}
}

func TestAPanicBecomesAnErrorAndAnErrorStays(t *testing.T) {
	try := func(fn func() error) (err error) {
		defer recovery.Error(&err)
		return fn()
	}
	if err := try(func() error { panic("a wolf") }); !errors.Is(err, recovery.ErrPanic) || !strings.Contains(err.Error(), "a wolf") {
		t.Errorf("a panic became %v", err)
	}
	ours := errors.New("no room")
	if err := try(func() error { return ours }); !errors.Is(err, ours) || errors.Is(err, recovery.ErrPanic) {
		t.Errorf("an error became %v", err)
	}
	if err := try(func() error { return nil }); err != nil {
		t.Errorf("success became %v", err)
	}
}

func TestWhatPanicsIsRunAgainAfterGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs []time.Time
		recovery.Keep(t.Context(), slog.New(slog.DiscardHandler), "counting sheep", func(context.Context) {
			if runs = append(runs, time.Now()); len(runs) < 9 {
				panic("a wolf")
			}
		})
		if len(runs) != 9 {
			t.Fatalf("ran %d times", len(runs))
		}
		for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			if got := runs[i+1].Sub(runs[i]); got != want*time.Second {
				t.Errorf("pause %d is %s, want %s", i, got, want*time.Second)
			}
		}
	})
}

func TestWhatPanicsIsNotRunAgainOnceItsContextHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	runs := 0
	recovery.Keep(ctx, slog.New(slog.DiscardHandler), "counting sheep", func(context.Context) {
		runs++
		cancel()
		panic("a wolf")
	})
	if runs != 1 {
		t.Errorf("ran %d times", runs)
	}
}
