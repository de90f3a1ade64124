package doctor_test

import (
	"strings"
	"testing"
	"time"

	"chatiere/panel/api"
	"chatiere/tenants/audit"
)

func TestATrailThatWasChangedIsRedAndNamesTheFirstRow(t *testing.T) {
	for name, c := range map[string]struct {
		trail audit.State
		state api.CheckState
		word  string
	}{
		"whole":             {audit.State{At: now, Head: "2026-11-21 7 9 aa"}, api.CheckGreen, "2026-11-21 7 9 aa"},
		"not verified":      {audit.State{}, api.CheckGreen, "not verified"},
		"changed":           {audit.State{At: now, Report: audit.Report{Faults: []audit.Fault{{Kind: audit.Changed, ID: 42, At: now.Add(-time.Hour)}}}}, api.CheckRed, "row 42"},
		"met by the writer": {audit.State{At: now, Trouble: audit.ErrRewritten}, api.CheckRed, "does not match"},
	} {
		d := well(t)
		d.Audit = func() audit.State { return c.trail }
		if got := examine(t, d)["audit"]; got.State != c.state || !strings.Contains(got.Found, c.word) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
