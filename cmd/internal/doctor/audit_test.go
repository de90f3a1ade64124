package doctor_test

import (
	"strings"
	"testing"
	"time"

	"chatiere/cmd/internal/doctor"
	"chatiere/panel/api"
	"chatiere/tenants/audit"
)

func TestATrailThatWasChangedIsRedAndNamesTheFirstRow(t *testing.T) {
	for name, c := range map[string]struct {
		trail doctor.AuditState
		state api.CheckState
		word  string
	}{
		"whole":             {doctor.AuditState{At: now, Head: "2026-11-21 7 9 aa"}, api.CheckGreen, "2026-11-21 7 9 aa"},
		"not verified":      {doctor.AuditState{}, api.CheckGreen, "not verified"},
		"changed":           {doctor.AuditState{At: now, Report: audit.Report{Faults: []audit.Fault{{Kind: audit.Changed, ID: 42, At: now.Add(-time.Hour)}}}}, api.CheckRed, "row 42"},
		"met by the writer": {doctor.AuditState{At: now, Trouble: audit.ErrRewritten}, api.CheckRed, "does not match"},
	} {
		d := well(t)
		d.Audit = func() doctor.AuditState { return c.trail }
		if got := examine(t, d)["audit"]; got.State != c.state || !strings.Contains(got.Found, c.word) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
