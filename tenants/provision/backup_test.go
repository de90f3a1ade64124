package provision_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
	"chatiere/tenants/provision/provisiontest"
)

// savedOnce checks that the site was saved once, and that the records know of it.
func (h *house) savedOnce(t *testing.T, s tenants.Site) {
	t.Helper()
	all := h.world.Snapshots()
	if len(all) != 1 {
		t.Fatalf("there are %d snapshots, want one: %+v", len(all), all)
	}
	if _, err := h.records.Snapshot(t.Context(), s.ID, all[0].ID); err != nil {
		t.Errorf("the records do not know of it: %v", err)
	}
}

// recovered checks that the site has its old content in a new generation, with the former one beside it, and returns what
// there must be.
func (h *house) recovered(t *testing.T, before tenants.Site) []string {
	t.Helper()
	s := h.site(t, before.ID)
	if files, database := h.world.Read(s); files != "files then" || s.Database() != "" && database != "rows then" {
		t.Errorf("the site contains %q and %q, want what was saved", files, database)
	}
	if files, database := h.world.Read(before); files != "files now" || database != "rows now" {
		t.Errorf("the generation before contains %q and %q, want what was there", files, database)
	}
	if s.Release.Generation != 2 {
		t.Errorf("the release is %+v, want generation 2", s.Release)
	}
	all := h.world.Snapshots()
	if last := all[len(all)-1]; last.Reason != tenants.SnapshotBeforeRestore {
		t.Errorf("the last snapshot is %+v, want one of before", last)
	} else if _, err := h.records.Snapshot(t.Context(), s.ID, last.ID); err != nil {
		t.Errorf("the records do not list what was saved before the restore: %v", err)
	}
	out := append(h.expect(t, "running", "serving"), "files:"+s.ID+"/data-2")
	if before.Database() != "" {
		out = append(out, "database:"+before.Database(), "user:"+before.Database())
	}
	slices.Sort(out)
	return out
}

// notRecovered checks that nothing has become of the site.
func (h *house) notRecovered(t *testing.T, before tenants.Site) {
	t.Helper()
	s := h.site(t, before.ID)
	if files, database := h.world.Read(s); files != "files now" || database != "rows now" || s.Release.ID != before.Release.ID {
		t.Errorf("the site contains %q and %q in release %s, want what it was", files, database, s.Release.ID)
	}
	if made := h.records.Releases(before.ID); len(made) != before.Release.Number {
		t.Errorf("releases that were given up are left: %+v", made)
	}
}

func TestASiteThatIsBackedUpCanBeSuspended(t *testing.T) {
	h := newHouse(t)
	s := h.provisioned(t)
	if _, err := h.desk.BackUpSite(t.Context(), h.admin, s.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.desk.SuspendSite(t.Context(), h.admin, s.ID); err != nil {
		t.Errorf("suspending a site that is being backed up: %v", err)
	}
	if _, err := h.desk.BackUpSite(t.Context(), h.admin, s.ID); !errors.Is(err, operations.ErrBusy) {
		t.Errorf("a second backup beside the first: %v", err)
	}
	if _, err := h.desk.UpdateSite(t.Context(), h.admin, s.ID, ""); !errors.Is(err, operations.ErrBusy) && !errors.Is(err, tenants.ErrConflict) {
		t.Errorf("an update beside a backup: %v", err)
	}
}

func TestADamagedSnapshotLeavesTheSiteAsItIs(t *testing.T) {
	h := newHouse(t)
	s := h.provisioned(t)
	defer h.run(t, nil)()
	h.world.Write(s, "files now", "rows now")
	op, err := h.desk.BackUpSite(t.Context(), h.admin, s.ID)
	h.want(t, operations.Done, op, err)
	id := h.world.Snapshots()[0].ID
	h.world.DamageSnapshot(id)
	op, err = h.desk.RecoverSite(t.Context(), h.admin, s.ID, id)
	h.want(t, operations.Undone, op, err)
	if got := h.wait(t, op.ID); got.Problem != string(operations.CauseSnapshot) {
		t.Errorf("the problem is %q, want %q", got.Problem, operations.CauseSnapshot)
	}
	h.notRecovered(t, s)
}

func TestOnlySnapshotsOfTheSiteAreBroughtBack(t *testing.T) {
	h := newHouse(t)
	s := h.provisioned(t)
	for _, id := range []string{"", "unknown"} {
		if _, err := h.desk.RecoverSite(t.Context(), h.admin, s.ID, id); !errors.Is(err, tenants.ErrNotFound) {
			t.Errorf("bringing back %q: %v", id, err)
		}
	}
	member := provision.Request{Principal: tenants.Principal{Kind: tenants.KindPerson, ID: "m", Name: "Membre"}}
	for name, ask := range map[string]func(context.Context) error{
		"back up": func(ctx context.Context) error { _, err := h.desk.BackUpSite(ctx, member, s.ID); return err },
		"recover": func(ctx context.Context) error { _, err := h.desk.RecoverSite(ctx, member, s.ID, "x"); return err },
	} {
		if err := ask(t.Context()); !errors.Is(err, tenants.ErrNotFound) && !errors.Is(err, tenants.ErrForbidden) {
			t.Errorf("%s by a stranger: %v", name, err)
		}
	}
}

func TestPurgingRemovesEveryGeneration(t *testing.T) {
	h := newHouse(t)
	s := h.provisioned(t)
	defer h.run(t, nil)()
	op, err := h.desk.BackUpSite(t.Context(), h.admin, s.ID)
	h.want(t, operations.Done, op, err)
	for range 2 {
		op, err = h.desk.RecoverSite(t.Context(), h.admin, s.ID, h.world.Snapshots()[0].ID)
		h.want(t, operations.Done, op, err)
	}
	if got := h.site(t, s.ID).Release.Generation; got != 3 {
		t.Fatalf("generation %d after two restorations, want 3", got)
	}
	op, err = h.desk.DeleteSite(t.Context(), h.admin, s.ID)
	h.want(t, operations.Done, op, err)
	op, err = h.desk.PurgeSite(t.Context(), h.admin, s.ID)
	h.want(t, operations.Done, op, err)
	if left := h.world.Inventory(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestRetentionIsAppliedAndRecorded(t *testing.T) {
	h := newHouse(t)
	s := h.provisioned(t)
	defer h.run(t, nil)()
	var first string
	for i := range provisiontest.KeptSnapshots + 1 {
		op, err := h.desk.BackUpSite(t.Context(), h.admin, s.ID)
		h.want(t, operations.Done, op, err)
		if i == 0 {
			first = h.world.Snapshots()[0].ID
		}
	}
	if n := len(h.world.Snapshots()); n != provisiontest.KeptSnapshots {
		t.Errorf("%d snapshots are kept", n)
	}
	if _, err := h.records.Snapshot(t.Context(), s.ID, first); !errors.Is(err, tenants.ErrNotFound) {
		t.Errorf("the records still list what has expired: %v", err)
	}
}

func TestDataInPostgreSQLAreNotCopiedAsFiles(t *testing.T) {
	h := newHouse(t)
	h.template = "carnet"
	s := h.provisioned(t)
	defer h.run(t, nil)()
	op, err := h.desk.BackUpSite(t.Context(), h.admin, s.ID)
	h.want(t, operations.Undone, op, err)
	if all := h.world.Snapshots(); len(all) != 0 {
		t.Errorf("saved: %+v", all)
	}
}
