package config_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"chatiere/cmd/internal/config"
)

func TestATestMovesTheClockAndAnInstallationDoesNot(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "-1h": -time.Hour, "1h30m": 90 * time.Minute} {
		c, err := config.Parse("chatiere.yaml", []byte(minimal), []string{config.ClockVariable + "=" + text})
		if err != nil {
			t.Fatal(err)
		}
		if off := time.Until(c.Now()) - want; off.Abs() > time.Minute || c.ClockOffset() != want {
			t.Errorf("with %q the clock is %s off what was asked for, told as %s", text, off, c.ClockOffset())
		}
	}
}

func TestAClockThatCannotBeReadIsAFault(t *testing.T) {
	_, err := config.Parse("chatiere.yaml", []byte(minimal), []string{config.ClockVariable + "=tomorrow"})
	if !errors.Is(err, config.ErrFaults) || !strings.Contains(err.Error(), config.ClockVariable) {
		t.Errorf("got %v", err)
	}
}
