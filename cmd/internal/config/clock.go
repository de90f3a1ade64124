package config

import (
	"fmt"
	"time"
)

// ClockVariable moves the clock of a role, by a duration such as "-1h". It is for tests alone, like CHATIERE_HOLD_DIR: a
// container has no clock of its own that could be set.
const ClockVariable = "CHATIERE_CLOCK_OFFSET"

// Now is the wall clock that every role goes by.
func (c Config) Now() time.Time { return time.Now().Add(c.clockOffset) }

// ClockOffset is by how much the clock was moved for a test; 0 in every installation.
func (c Config) ClockOffset() time.Duration { return c.clockOffset }

func (l *loading) readClock(env []string) {
	text := lookup(env, ClockVariable)
	if text == "" {
		return
	}
	offset, err := time.ParseDuration(text)
	if err != nil {
		l.faults = append(l.faults, Fault{
			Key: ClockVariable, Where: environmentWord + ClockVariable, Problem: fmt.Sprintf("found %q", text),
			Expected: "a duration, for tests alone", Example: ClockVariable + "=-1h",
		})
	}
	l.config.clockOffset = offset
}
