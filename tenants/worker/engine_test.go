package worker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"chatiere/tenants/worker"
)

func TestAWorkerEndsWhenTheEngineDoesNotAnswerForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, asked := time.Now(), 0
		err := worker.WatchEngine(t.Context(), func(context.Context) error {
			asked++
			if asked <= 3 {
				return nil
			}
			return errors.New("no answer in time")
		})
		if !errors.Is(err, worker.ErrEngineSilent) {
			t.Fatalf("got %v", err)
		}
		if took := time.Since(began); took != 69*time.Second {
			t.Errorf("ended after %s, want a minute after the last answer at 9 s", took)
		}
	})
}

func TestAWorkerEndsSoonWhenNobodyListensOnItsSocketAnyMore(t *testing.T) {
	for _, gone := range []error{syscall.ECONNREFUSED, syscall.ENOENT} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			err := worker.WatchEngine(t.Context(), func(context.Context) error {
				return fmt.Errorf("asking the engine: %w", &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", gone)})
			})
			if took := time.Since(began); !errors.Is(err, worker.ErrEngineSilent) || took != 12*time.Second {
				t.Errorf("%v: ended after %s with %v", gone, took, err)
			}
		})
	}
}

func TestASocketWithoutAListenerIsDistinguished(t *testing.T) {
	path := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.CheckListening(t.Context(), "unix://"+path); err != nil {
		t.Errorf("while the daemon listens: %v", err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := worker.CheckListening(t.Context(), "unix://"+path); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after its end: %v", err)
	}
}

func TestAnEngineThatAnswersInTimeEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		asked := 0
		err := worker.WatchEngine(ctx, func(context.Context) error {
			if asked++; asked%5 == 0 {
				return nil
			}
			return errors.New("no answer in time")
		})
		if err != nil || asked < 50 {
			t.Errorf("ended with %v after %d questions; want it to go on until it is told to end", err, asked)
		}
	})
}
