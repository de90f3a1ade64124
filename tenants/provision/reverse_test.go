package provision_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

type ask func(context.Context, provision.Request, string) (operations.Operation, error)

// as is a request of a principal of the association "amap".
func as(p tenants.Principal, role tenants.Role) provision.Request {
	p.Kind = tenants.KindPerson
	if role != "" {
		p.Memberships = map[string]tenants.Role{"amap": role}
	}
	return provision.Request{Principal: p}
}

var (
	manager   = as(tenants.Principal{ID: "m"}, tenants.RoleManager)
	member    = as(tenants.Principal{ID: "n"}, tenants.RoleMember)
	volunteer = as(tenants.Principal{ID: "v", CoopAdmin: true, SecondFact: true}, "")
	weak      = as(tenants.Principal{ID: "w", CoopAdmin: true}, tenants.RoleManager)
	stranger  = as(tenants.Principal{ID: "s"}, "")
)

// sign writes an answer as one letter: + yes, c conflict, 2 second factor, - forbidden, ? not found, l too late.
func sign(err error) string {
	for _, known := range []struct {
		err  error
		sign string
	}{
		{nil, "+"}, {tenants.ErrConflict, "c"}, {tenants.ErrStepUp, "2"}, {tenants.ErrForbidden, "-"}, {tenants.ErrNotFound, "?"},
		{operations.ErrTooLate, "l"},
	} {
		if errors.Is(err, known.err) {
			return known.sign
		}
	}
	return fmt.Sprint(err)
}

// Each state of a site, each act, each principal. A yes is taken back, so that the next asks about the same.
func TestEveryActOnASiteInEveryStateByEveryPrincipal(t *testing.T) {
	h := newHouse(t)
	s := h.provisioned(t)
	binned := func(from tenants.SiteState, by tenants.Side) tenants.Site {
		now := time.Now()
		x := s
		x.State, x.BinnedAt, x.BinnedFrom, x.BinnedBy = tenants.StateBinned, &now, from, by
		return x
	}
	in := func(state tenants.SiteState) tenants.Site { x := s; x.State = state; return x }
	states := []tenants.Site{
		in(tenants.StateCreating), in(tenants.StateReady), in(tenants.StateSuspended),
		binned(tenants.StateReady, tenants.SideAssociation), binned(tenants.StateSuspended, tenants.SideAssociation),
		binned(tenants.StateReady, tenants.SideCoop), binned(tenants.StateSuspended, tenants.SideCoop), binned(tenants.StateReady, ""),
		in(tenants.StatePurged), in(tenants.StateAborted),
	}
	update := func(ctx context.Context, r provision.Request, siteID string) (operations.Operation, error) {
		return h.desk.UpdateSite(ctx, r, siteID, "")
	}
	acts := []struct {
		name string
		do   ask
		want map[string]string // by principal: one letter for each of the states
	}{
		{"suspend", h.desk.SuspendSite, map[string]string{"volunteer": "c+cccccccc", "manager": "----------", "weak": "2222222222"}},
		{"resume", h.desk.ResumeSite, map[string]string{"volunteer": "cc+ccccccc", "manager": "----------", "weak": "2222222222"}},
		{"update", update, map[string]string{"volunteer": "c+cccccccc", "manager": "----------", "weak": "2222222222"}},
		{"delete", h.desk.DeleteSite, map[string]string{"volunteer": "c++ccccccc", "manager": "c++ccccccc", "weak": "c++ccccccc"}},
		{"restore", h.desk.RestoreSite, map[string]string{"volunteer": "ccc+++++cc", "manager": "ccc++---cc", "weak": "ccc++222cc"}},
		{"purge", h.desk.PurgeSite, map[string]string{"volunteer": "ccc+++++cc", "manager": "----------", "weak": "2222222222"}},
	}
	for _, act := range acts {
		act.want["member"], act.want["stranger"] = "----------", "??????????"
		for name, r := range map[string]provision.Request{"volunteer": volunteer, "manager": manager, "weak": weak, "member": member, "stranger": stranger} {
			got := ""
			for _, x := range states {
				if err := h.records.UpdateSite(t.Context(), x); err != nil {
					t.Fatal(err)
				}
				op, err := act.do(t.Context(), r, x.ID)
				if got += sign(err); err == nil {
					h.records.Forget(op.ID)
				}
			}
			if got != act.want[name] {
				t.Errorf("%s by %s: %s, want %s", act.name, name, got, act.want[name])
			}
		}
	}
}

// Each kind of operation, asked for by each side, cancelled and retried by each principal.
func TestWhoMayCancelAndRetryIsWhoMayDo(t *testing.T) {
	h := newHouse(t)
	s := h.provisioned(t)
	both := map[tenants.Side]string{tenants.SideCoop: "+-2-?", tenants.SideAssociation: "+-2-?", "": "+-2-?"}
	own := map[tenants.Side]string{tenants.SideCoop: "+-2-?", tenants.SideAssociation: "+++-?", "": "+-2-?"}
	want := map[string]map[tenants.Side]string{
		provision.KindAssociationCreate: both, provision.KindSiteProvision: both, provision.KindSiteSuspend: both,
		provision.KindSiteResume: both, provision.KindSiteDelete: own, provision.KindSiteRestore: own,
		provision.KindSitePurge: both, provision.KindSiteRepair: both, provision.KindSiteRest: both,
		provision.KindSiteUpdate: both, provision.KindSiteBackup: own, provision.KindSiteRecover: own,
	}
	for _, plan := range h.registry.All() {
		for side, row := range want[plan.Kind] {
			for name, try := range map[string]func(context.Context, provision.Request, string) error{"cancel": h.desk.CancelOperation, "retry": h.desk.RetryOperation} {
				got := ""
				for _, r := range []provision.Request{volunteer, manager, weak, member, stranger} {
					op, err := operations.NewOperation(plan, time.Now(), operations.Request{
						Subject: "site:" + s.ID, AssociationID: s.AssociationID, SiteID: s.ID, Spec: provision.Spec{AssociationID: s.AssociationID, SiteID: s.ID, By: side},
					})
					if err != nil {
						t.Fatal(err)
					}
					op.State = operations.Stuck
					h.records.Put(op)
					got += sign(try(t.Context(), r, op.ID))
					h.records.Forget(op.ID)
				}
				if got != row {
					t.Errorf("%s of %s asked for by %q: %s, want %s", name, plan.Kind, side, got, row)
				}
			}
		}
		if want[plan.Kind] == nil {
			t.Errorf("kind %s is missing from this table", plan.Kind)
		}
	}
}

// What the co-op closed stays closed, whatever a manager does with it.
func TestAManagerDoesNotLiftASuspension(t *testing.T) {
	h := newHouse(t)
	s := h.provisioned(t)
	ctx := t.Context()
	suspending, err := h.desk.SuspendSite(ctx, volunteer, s.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.desk.CancelOperation(ctx, manager, suspending.ID); !errors.Is(err, tenants.ErrForbidden) {
		t.Errorf("cancelling the co-op's suspension: %v, want ErrForbidden", err)
	}
	h.run(t, nil)
	h.want(t, operations.Done, suspending, nil)
	op, err := h.desk.DeleteSite(ctx, manager, s.ID)
	h.want(t, operations.Done, op, err)
	op, err = h.desk.RestoreSite(ctx, manager, s.ID)
	h.want(t, operations.Done, op, err)
	got := h.site(t, s.ID)
	if got.State != tenants.StateSuspended || got.BinnedAt != nil || got.BinnedFrom != "" || got.BinnedBy != "" {
		t.Errorf("restored, the site is %s (%+v), want suspended", got.State, got)
	}
	if there := h.world.Inventory(); slices.Contains(there, "container:"+h.world.Front(s.ID)+":running") ||
		slices.Contains(there, "route:"+s.Host+":serving") {
		t.Errorf("the suspended site is served again: %v", there)
	}
	op, err = h.desk.ResumeSite(ctx, volunteer, s.ID)
	h.want(t, operations.Done, op, err)
	if got := h.site(t, s.ID); got.State != tenants.StateReady {
		t.Errorf("resumed by the co-op, the site is %s", got.State)
	}
}

func TestAManagerDoesNotRestoreWhatTheCoopDeleted(t *testing.T) {
	h := newHouse(t)
	s := h.provisioned(t)
	h.run(t, nil)
	op, err := h.desk.DeleteSite(t.Context(), volunteer, s.ID)
	h.want(t, operations.Done, op, err)
	if _, err := h.desk.RestoreSite(t.Context(), manager, s.ID); !errors.Is(err, tenants.ErrForbidden) {
		t.Errorf("restoring what the co-op deleted: %v, want ErrForbidden", err)
	}
	op, err = h.desk.RestoreSite(t.Context(), volunteer, s.ID)
	h.want(t, operations.Done, op, err)
	op, err = h.desk.DeleteSite(t.Context(), manager, s.ID)
	h.want(t, operations.Done, op, err)
	op, err = h.desk.RestoreSite(t.Context(), manager, s.ID)
	h.want(t, operations.Done, op, err)
	if got := h.site(t, s.ID); got.State != tenants.StateReady {
		t.Errorf("the site is %s", got.State)
	}
}

// Undoing brings back the state before: a suspended site whose deletion is undone, a binned one whose restore is.
func TestWhatIsUndoneIsAsItWas(t *testing.T) {
	h := newHouse(t)
	s := h.provisioned(t)
	ctx := t.Context()
	stop := h.run(t, nil)
	op, err := h.desk.SuspendSite(ctx, volunteer, s.ID)
	h.want(t, operations.Done, op, err)
	stop()
	before := h.world.Inventory()
	op, err = h.desk.DeleteSite(ctx, manager, s.ID)
	if err != nil {
		t.Fatal(err)
	}
	stop = h.run(t, func(ctx context.Context, o operations.Operation, step string, p operations.Point) {
		if step == "stop" && p == operations.AfterCommit {
			_ = h.records.Cancel(ctx, o.ID)
		}
	})
	h.want(t, operations.Undone, op, nil)
	stop()
	if got := h.site(t, s.ID); got.State != tenants.StateSuspended || got.BinnedFrom != "" || got.BinnedAt != nil {
		t.Errorf("after an undone deletion the site is %+v", got)
	}
	if after := h.world.Inventory(); !slices.Equal(before, after) {
		t.Errorf("an undone deletion left %v, before there was %v", after, before)
	}

	stop = h.run(t, nil)
	op, err = h.desk.DeleteSite(ctx, manager, s.ID)
	h.want(t, operations.Done, op, err)
	stop()
	long := time.Now().Add(-20 * 24 * time.Hour).UTC()
	x := h.site(t, s.ID)
	x.BinnedAt, x.BinnedFrom = &long, tenants.StateReady
	if err := h.records.UpdateSite(ctx, x); err != nil {
		t.Fatal(err)
	}
	if op, err = h.desk.RestoreSite(ctx, manager, s.ID); err != nil {
		t.Fatal(err)
	}
	opened := make(chan struct{})
	victim := &operations.Runner{Store: h.records, Registry: h.registry, Owner: "victim", Log: quiet(), Slots: operations.EachLane(1), Idle: 5 * time.Millisecond,
		AtPoint: func(ctx context.Context, o operations.Operation, step string, p operations.Point) {
			if step == "open" && p == operations.AfterDo {
				_ = h.records.Cancel(ctx, o.ID)
				close(opened)
				select {} // killed before it could say so
			}
		}}
	go victim.Run(ctx)
	<-opened
	if _, err := h.records.RevokeLeases(ctx); err != nil {
		t.Fatal(err)
	}
	h.run(t, nil)
	h.want(t, operations.Undone, op, nil)
	if got := h.site(t, s.ID); got.State != tenants.StateBinned || got.BinnedAt == nil || !got.BinnedAt.Equal(long) || got.BinnedBy != tenants.SideAssociation {
		t.Errorf("after an undone restore the site is %+v, want in the bin since %s", got, long)
	}
}

// Sites that lay in the bin before records said where they came from.
func TestWhatLayInTheBinBeforeComesBackAsItsDeletionTells(t *testing.T) {
	h := newHouse(t)
	s := h.provisioned(t)
	h.run(t, nil)
	ctx := t.Context()
	for _, was := range []tenants.SiteState{tenants.StateReady, tenants.StateSuspended} {
		op, err := h.desk.DeleteSite(ctx, volunteer, s.ID)
		h.want(t, operations.Done, op, err)
		old := h.site(t, s.ID)
		old.BinnedFrom, old.BinnedBy = "", ""
		if err := h.records.UpdateSite(ctx, old); err != nil {
			t.Fatal(err)
		}
		if _, err := h.desk.RestoreSite(ctx, manager, s.ID); !errors.Is(err, tenants.ErrForbidden) {
			t.Errorf("by a manager, though nobody knows who deleted it: %v", err)
		}
		op, err = h.desk.RestoreSite(ctx, volunteer, s.ID)
		h.want(t, operations.Done, op, err)
		if got := h.site(t, s.ID); got.State != was {
			t.Errorf("it was %s and came back %s", was, got.State)
		}
		if was == tenants.StateReady {
			op, err = h.desk.SuspendSite(ctx, volunteer, s.ID)
			h.want(t, operations.Done, op, err)
		}
	}
}

func TestTheGuardKeepsABinnedSiteSuspended(t *testing.T) {
	h := newHouse(t)
	s := h.provisioned(t)
	h.run(t, nil)
	ctx := t.Context()
	system := provision.Request{Principal: tenants.System()}
	if err := h.desk.KeepSuspended(ctx, system, s.ID); !errors.Is(err, tenants.ErrConflict) {
		t.Errorf("outside the bin: %v, want ErrConflict", err)
	}
	op, err := h.desk.DeleteSite(ctx, manager, s.ID)
	h.want(t, operations.Done, op, err)
	if err := h.desk.KeepSuspended(ctx, manager, s.ID); !errors.Is(err, tenants.ErrForbidden) {
		t.Errorf("by a manager: %v, want ErrForbidden", err)
	}
	if err := h.desk.KeepSuspended(ctx, system, s.ID); err != nil {
		t.Fatal(err)
	}
	op, err = h.desk.RestoreSite(ctx, manager, s.ID)
	h.want(t, operations.Done, op, err)
	if got := h.site(t, s.ID); got.State != tenants.StateSuspended {
		t.Errorf("the site is %s, want suspended", got.State)
	}
}

func TestCancelAndRetryAreAuditedOrDoNotHappen(t *testing.T) {
	h := newHouse(t)
	op, err := h.desk.CreateSite(t.Context(), h.admin, h.wish())
	if err != nil {
		t.Fatal(err)
	}
	h.records.NoTrail = true
	if err := h.desk.CancelOperation(t.Context(), h.admin, op.ID); !errors.Is(err, tenants.ErrUnavailable) {
		t.Fatalf("cancelling without a trail: %v", err)
	}
	if now, _ := h.records.Operation(t.Context(), op.ID); now.Cancel {
		t.Error("cancelled, and the trail does not tell")
	}
	op.State = operations.Stuck
	h.records.Put(op)
	if err := h.desk.RetryOperation(t.Context(), h.admin, op.ID); !errors.Is(err, tenants.ErrUnavailable) {
		t.Fatalf("retrying without a trail: %v", err)
	}
	if now, _ := h.records.Operation(t.Context(), op.ID); now.State != operations.Stuck {
		t.Errorf("%s again, and the trail does not tell", now.State)
	}
	h.records.NoTrail = false
	if err := h.desk.RetryOperation(t.Context(), h.admin, op.ID); err != nil {
		t.Fatal(err)
	}
	if last := h.records.Trail[len(h.records.Trail)-1]; last.Action != string(tenants.ActOperationRetry) || last.OperationID != op.ID {
		t.Errorf("the trail ends with %+v", last)
	}
}
