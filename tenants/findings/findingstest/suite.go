package findingstest

import (
	"context"
	"slices"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/findings"
)

// Store is what writers and readers of findings need together.
type Store interface {
	findings.Records
	Findings(ctx context.Context, f tenants.FindingFilter) ([]tenants.Finding, error)
}

var at = time.Date(2026, 11, 22, 5, 4, 3, 123456000, time.UTC)

func finding(area tenants.Area, subject string, code tenants.FindingCode, args map[string]string) tenants.Finding {
	return tenants.Finding{Area: area, Subject: subject, Code: code, Args: args, Level: tenants.LevelAttention}
}

// keys names findings for comparing.
func keys(fs []tenants.Finding) []string {
	out := []string{}
	for _, f := range fs {
		out = append(out, string(f.Area)+" "+f.Subject+" "+string(f.Code))
	}
	slices.Sort(out)
	return out
}

// Suite holds every store to what writers and readers rely on; each call of fresh returns an empty one.
func Suite(t *testing.T, fresh func(t *testing.T) Store) {
	t.Run("what is seen opens once and ends when it is no longer seen", func(t *testing.T) { openAndEnd(t, fresh(t)) })
	t.Run("a scope ends nothing outside itself", func(t *testing.T) { scopes(t, fresh(t)) })
	t.Run("what comes back is open anew", func(t *testing.T) { comeBack(t, fresh(t)) })
	t.Run("what ended long ago is forgotten", func(t *testing.T) { forget(t, fresh(t)) })
}

func replace(t *testing.T, s Store, scope tenants.FindingScope, now time.Time, seen ...tenants.Finding) (opened, ended []string) {
	t.Helper()
	o, e, err := s.ReplaceFindings(t.Context(), scope, now, seen)
	if err != nil {
		t.Fatal(err)
	}
	return keys(o), keys(e)
}

func list(t *testing.T, s Store, f tenants.FindingFilter) []tenants.Finding {
	t.Helper()
	found, err := s.Findings(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func wantKeys(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func openAndEnd(t *testing.T, s Store) {
	platform := tenants.FindingScope{Area: tenants.AreaPlatform}
	a := finding(tenants.AreaPlatform, "gateway", "a", map[string]string{"words": "« été »"})
	b := finding(tenants.AreaPlatform, "proxy", "b", nil)
	opened, ended := replace(t, s, platform, at, a, b)
	wantKeys(t, "opened at first", opened, "platform gateway a", "platform proxy b")
	wantKeys(t, "ended at first", ended)
	later := at.Add(2 * time.Minute)
	opened, ended = replace(t, s, platform, later, a)
	wantKeys(t, "opened again", opened)
	wantKeys(t, "ended", ended, "platform proxy b")
	got := list(t, s, tenants.FindingFilter{})
	if len(got) != 1 || !got[0].Since.Equal(at) || !got[0].Seen.Equal(later) || got[0].Args["words"] != "« été »" || got[0].Level != tenants.LevelAttention || !got[0].Open() {
		t.Errorf("open is %+v", got)
	}
	got = list(t, s, tenants.FindingFilter{EndedAfter: at})
	if len(got) != 2 || got[1].Ended == nil || !got[1].Ended.Equal(later) {
		t.Errorf("with the ended one: %+v", got)
	}
	if got := list(t, s, tenants.FindingFilter{EndedAfter: later.Add(time.Second)}); len(got) != 1 {
		t.Errorf("ended before the time asked for: %+v", got)
	}
	a.Args = map[string]string{"words": "others"}
	opened, ended = replace(t, s, platform, later.Add(time.Second), a)
	wantKeys(t, "opened with other words", opened)
	wantKeys(t, "ended with other words", ended)
	if got := list(t, s, tenants.FindingFilter{Subject: "gateway"}); len(got) != 1 || got[0].Args["words"] != "others" || !got[0].Since.Equal(at) {
		t.Errorf("with other words: %+v", got)
	}
}

func scopes(t *testing.T, s Store) {
	one, two := finding(tenants.AreaSite, "s1", "a", nil), finding(tenants.AreaSite, "s2", "a", nil)
	mail := finding(tenants.AreaMail, "s1", "a", nil)
	replace(t, s, tenants.FindingScope{Area: tenants.AreaSite}, at, one, two, finding(tenants.AreaSite, "s1", "b", nil))
	replace(t, s, tenants.FindingScope{Area: tenants.AreaMail}, at, mail)
	_, ended := replace(t, s, tenants.FindingScope{Area: tenants.AreaSite, Subjects: []string{"s1"}, Codes: []tenants.FindingCode{"a"}}, at)
	wantKeys(t, "ended by subject and code", ended, "site s1 a")
	_, ended = replace(t, s, tenants.FindingScope{Area: tenants.AreaSite, Subjects: []string{}}, at)
	wantKeys(t, "ended by an empty scope", ended)
	wantKeys(t, "open", keys(list(t, s, tenants.FindingFilter{})), "site s2 a", "site s1 b", "mail s1 a")
	wantKeys(t, "of one area", keys(list(t, s, tenants.FindingFilter{Area: tenants.AreaMail})), "mail s1 a")
	wantKeys(t, "about one subject", keys(list(t, s, tenants.FindingFilter{Subject: "s1"})), "site s1 b", "mail s1 a")
}

func comeBack(t *testing.T, s Store) {
	scope := tenants.FindingScope{Area: tenants.AreaDisk}
	f := finding(tenants.AreaDisk, "root", "full", nil)
	replace(t, s, scope, at, f)
	replace(t, s, scope, at.Add(time.Hour))
	opened, _ := replace(t, s, scope, at.Add(2*time.Hour), f)
	wantKeys(t, "opened when it came back", opened, "disk root full")
	if got := list(t, s, tenants.FindingFilter{}); len(got) != 1 || !got[0].Since.Equal(at.Add(2*time.Hour)) {
		t.Errorf("it is %+v", got)
	}
}

func forget(t *testing.T, s Store) {
	scope := tenants.FindingScope{Area: tenants.AreaDisk}
	replace(t, s, scope, at, finding(tenants.AreaDisk, "old", "full", nil), finding(tenants.AreaDisk, "open", "full", nil))
	replace(t, s, scope, at.Add(time.Hour), finding(tenants.AreaDisk, "open", "full", nil))
	if err := s.DeleteFindings(t.Context(), at.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, "kept", keys(list(t, s, tenants.FindingFilter{EndedAfter: at.Add(-time.Hour)})), "disk open full")
}
