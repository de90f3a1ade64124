package schedule_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chatiere/tenants/schedule"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func TestJobsRunAtOnceAndAgainAfterAPanicOrAnError(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var panics, errs atomic.Int32
	both := func() {
		if panics.Load() >= 2 && errs.Load() >= 2 {
			cancel()
		}
	}
	schedule.Run(ctx, quiet(), new(schedule.Board),
		schedule.Job{Name: "panics", Every: time.Second, Run: func(context.Context) error { panics.Add(1); both(); panic("boom") }},
		schedule.Job{Name: "fails", Every: time.Second, Run: func(context.Context) error { errs.Add(1); both(); return errors.New("no") }},
	)
	if panics.Load() < 2 || errs.Load() < 2 {
		t.Errorf("runs: %d that panic, %d that fail; want at least 2 each", panics.Load(), errs.Load())
	}
}

func TestAJobNeverRunsBesideItselfAndStoppingWaitsForIt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var now, most, runs atomic.Int32
	ended := false
	time.AfterFunc(2500*time.Millisecond, cancel) // long enough for two more starts to be due
	schedule.Run(ctx, quiet(), new(schedule.Board), schedule.Job{Name: "slow", Every: time.Second, Run: func(ctx context.Context) error {
		runs.Add(1)
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		<-ctx.Done()
		now.Add(-1)
		ended = true
		return nil
	}})
	if most.Load() != 1 || runs.Load() != 1 || !ended {
		t.Errorf("at most %d at a time in %d runs, ended %v; want one run, waited for", most.Load(), runs.Load(), ended)
	}
}

func TestTheBoardTellsHowEachJobWent(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var board schedule.Board
	var mended, failed, panicked atomic.Int32
	enough := func() {
		if mended.Load() >= 2 && failed.Load() >= 2 && panicked.Load() >= 2 {
			time.AfterFunc(0, cancel)
		}
	}
	schedule.Run(ctx, quiet(), &board,
		schedule.Job{Name: "mends", Every: time.Second, Run: func(context.Context) error {
			if mended.Add(1) == 1 {
				return errors.New("not yet")
			}
			return nil
		}},
		schedule.Job{Name: "fails", Every: time.Second, Run: func(context.Context) error { failed.Add(1); return errors.New("no room") }},
		schedule.Job{Name: "panics", Every: time.Second, Run: func(context.Context) error { panicked.Add(1); panic("boom") }},
		schedule.Job{Name: "waits", Every: time.Second, Run: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
		schedule.Job{Name: "looks", Every: time.Second, Run: func(context.Context) error { enough(); return nil }},
	)
	of := map[string]schedule.Outcome{}
	for _, o := range board.Outcomes() {
		of[o.Job] = o
	}
	if o := of["mends"]; o.Error != "" || o.Failures != 0 || o.Started.IsZero() || o.Every != time.Second {
		t.Errorf("a job that went well again: %+v", o)
	}
	if o := of["fails"]; o.Error != "no room" || o.Failures < 2 {
		t.Errorf("a job that fails: %+v", o)
	}
	if o := of["panics"]; o.Error == "" || o.Failures < 2 {
		t.Errorf("a job that panics: %+v", o)
	}
	if o := of["waits"]; !o.Started.IsZero() || o.Error != "" {
		t.Errorf("a job that only the end of the process stopped: %+v", o)
	}
}

func TestWhatAJobFailsWithIsLoggedWhenItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		said := []string{"no room", "no room", "no key", "no room", "", "no room", "no room"}
		var out bytes.Buffer
		schedule.Run(ctx, slog.New(slog.NewTextHandler(&out, nil)), new(schedule.Board), schedule.Job{Name: "fails", Every: time.Second, Run: func(context.Context) error {
			if len(said) == 1 {
				time.AfterFunc(0, cancel)
			}
			word := ""
			if len(said) > 0 {
				word, said = said[0], said[1:]
			}
			if word == "" {
				return nil
			}
			return errors.New(word)
		}})
		if rooms, keys := strings.Count(out.String(), "no room"), strings.Count(out.String(), "no key"); rooms != 3 || keys != 1 {
			t.Errorf("logged %d and %d times, want 3 and 1: %s", rooms, keys, &out)
		}
	})
}
