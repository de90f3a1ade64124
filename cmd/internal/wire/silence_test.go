package wire_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"chatiere/cmd/internal/wire"
)

func TestAWorkerEndsWhenTheEngineHasBeenSilentForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, asked := time.Now(), 0
		err := wire.Silence(t.Context(), func(context.Context) error {
			asked++
			if asked <= 3 {
				return nil
			}
			return errors.New("connection refused")
		}, 10*time.Second, time.Minute)
		if !errors.Is(err, wire.ErrEngineSilent) {
			t.Fatalf("got %v", err)
		}
		if took := time.Since(began); took != 90*time.Second {
			t.Errorf("ended after %s, want a minute after the last answer at 30 s", took)
		}
	})
}

func TestASilenceThatEndsInTimeIsForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		asked := 0
		err := wire.Silence(ctx, func(context.Context) error {
			if asked++; asked%5 == 0 {
				return nil
			}
			return errors.New("connection refused")
		}, 10*time.Second, time.Minute)
		if err != nil || asked < 50 {
			t.Errorf("ended with %v after %d questions; want it to go on until it is told to end", err, asked)
		}
	})
}
