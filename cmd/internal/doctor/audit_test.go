package doctor_test

import (
	"strings"
	"testing"
	"time"

	"chatiere/cmd/internal/doctor"
	"chatiere/panel/api"
	"chatiere/tenants/trail"
)

func TestATrailThatWasChangedIsRedAndNamesTheFirstRow(t *testing.T) {
	for name, c := range map[string]struct {
		trail doctor.Trail
		state api.CheckState
		word  string
	}{
		"whole":             {doctor.Trail{At: now, Head: "2026-11-21 7 9 aa"}, api.CheckGreen, "2026-11-21 7 9 aa"},
		"not looked at":     {doctor.Trail{}, api.CheckGreen, "not looked"},
		"changed":           {doctor.Trail{At: now, Report: trail.Report{Faults: []trail.Fault{{Kind: trail.Changed, ID: 42, At: now.Add(-time.Hour)}}}}, api.CheckRed, "row 42"},
		"met by the sealer": {doctor.Trail{At: now, Trouble: trail.ErrRewritten}, api.CheckRed, "not the one"},
	} {
		d := well(t)
		d.Audit = func() doctor.Trail { return c.trail }
		if got := examine(t, d)["audit"]; got.State != c.state || !strings.Contains(got.Found, c.word) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
