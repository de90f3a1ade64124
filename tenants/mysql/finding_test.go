//go:build integration

package mysql_test

import (
	"testing"

	"chatiere/tenants"
	"chatiere/tenants/findings/findingstest"
)

func TestFindingsAreKeptAsPromised(t *testing.T) {
	findingstest.Suite(t, func(t *testing.T) findingstest.Store {
		_, s := store(t)
		return s
	})
}

func TestThePanelReadsFindingsAndWritesNone(t *testing.T) {
	ctx, worker, d := storeOn(t)
	scope := tenants.FindingScope{Area: tenants.AreaPlatform}
	f := tenants.Finding{Area: tenants.AreaPlatform, Subject: "proxy", Code: "x", Level: tenants.LevelNote}
	_, _, err := worker.ReplaceFindings(ctx, scope, at, []tenants.Finding{f})
	must(t, err)
	panel := as(t, d.Config(d.Panel))
	if got, err := panel.Findings(ctx, tenants.FindingFilter{}); err != nil || len(got) != 1 {
		t.Errorf("the panel reads %v (%v)", got, err)
	}
	if _, _, err := panel.ReplaceFindings(ctx, scope, at, nil); err == nil {
		t.Error("the panel ended a finding")
	}
}
