package findings_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/findings"
	"chatiere/tenants/findings/findingstest"
)

func TestTheFakeKeepsWhatStoresPromise(t *testing.T) {
	findingstest.Suite(t, func(*testing.T) findingstest.Store { return &findingstest.Records{} })
}

func TestAFindingIsLoggedOnceAndItsEndToo(t *testing.T) {
	var log bytes.Buffer
	b := &findings.Store{Records: &findingstest.Records{}, Now: time.Now, Log: slog.New(slog.NewTextHandler(&log, nil))}
	scope := tenants.FindingScope{Area: tenants.AreaSite, Subjects: []string{"s1"}}
	f := tenants.Finding{Area: tenants.AreaSite, Subject: "s1", Code: "gone", Level: tenants.LevelTrouble}
	for _, seen := range [][]tenants.Finding{{f}, {f}, {f}, nil, nil} {
		if err := b.Replace(t.Context(), scope, seen); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), "msg=found "); n != 1 {
		t.Errorf("logged %d times that it was found:\n%s", n, &log)
	}
	if n := strings.Count(log.String(), `msg="found no longer"`); n != 1 {
		t.Errorf("logged %d times that it ended:\n%s", n, &log)
	}
}

func TestAFindingOutsideTheScopeIsRefused(t *testing.T) {
	b := &findings.Store{Records: &findingstest.Records{}, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	scope := tenants.FindingScope{Area: tenants.AreaSite, Subjects: []string{"s1"}}
	for name, f := range map[string]tenants.Finding{
		"of another area":    {Area: tenants.AreaMail, Subject: "s1", Code: "x", Level: tenants.LevelNote},
		"about another site": {Area: tenants.AreaSite, Subject: "s2", Code: "x", Level: tenants.LevelNote},
		"without a code":     {Area: tenants.AreaSite, Subject: "s1", Level: tenants.LevelNote},
		"without a level":    {Area: tenants.AreaSite, Subject: "s1", Code: "x"},
	} {
		if err := b.Replace(t.Context(), scope, []tenants.Finding{f}); !errors.Is(err, tenants.ErrInvalid) {
			t.Errorf("one %s: %v", name, err)
		}
	}
}
