package provision_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
	"chatiere/tenants/provision/provisiontest"
)

const newImage = "sha256:wordpress2"

// madeOf fails unless the site is as before but for a release of that image, in its record and in its container.
func (h *house) madeOf(t *testing.T, before tenants.Site, image string, old tenants.Container) {
	t.Helper()
	got := h.site(t, before.ID)
	want := before
	want.Release, want.UpdateAvailable = got.Release, got.UpdateAvailable
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the record is %+v, want %+v", got, want)
	}
	front := got.Release.Front()
	c := h.world.Container(front.Container)
	if c == nil || c.ImageID != image || front.ImageID != image {
		t.Fatalf("the release is %+v and its container %+v, want one of %s", got.Release, c, image)
	}
	if image != old.ImageID {
		if h.world.Container(old.Name) != nil || got.Release.Number <= before.Release.Number || got.Release.Sockets == before.Release.Sockets {
			t.Errorf("the release is %+v after %+v, and the old container %+v", got.Release, before.Release, h.world.Container(old.Name))
		}
		return
	}
	if old.StartedAt.Before(c.StartedAt) && before.Release.Exclusive() {
		c.StartedAt = old.StartedAt // it made room for the new one, and came back
	}
	if !reflect.DeepEqual(got.Release, before.Release) || !reflect.DeepEqual(*c, old) {
		t.Errorf("the release is %+v and its container %+v, want the old ones: %+v, %+v", got.Release, *c, before.Release, old)
	}
	if made := h.records.Releases(before.ID); len(made) != before.Release.Number {
		t.Errorf("releases that were given up are left: %+v", made)
	}
}

// outdated returns a ready site whose template gives another image now, and its container.
func (h *house) outdated(t *testing.T) (tenants.Site, tenants.Container) {
	t.Helper()
	s := h.provisioned(t)
	h.world.Newest.Change(newImage)
	h.reconciled(t)
	return h.site(t, s.ID), *h.world.Container(h.world.Front(s.ID))
}

func (h *house) reconciled(t *testing.T) {
	t.Helper()
	if err := h.reconciler().Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAnUpdateGivesASiteItsTemplatesNewestImage(t *testing.T) {
	h := newHouse(t)
	s, old := h.outdated(t)
	if !s.UpdateAvailable {
		t.Error("nobody is told that there is something newer")
	}
	if n := h.world.Newest.Builds(); n != 0 {
		t.Errorf("%d builds for looking", n)
	}
	h.run(t, nil)
	op, err := h.desk.UpdateSite(t.Context(), h.admin, s.ID, "")
	h.want(t, operations.Done, op, err)
	h.madeOf(t, s, newImage, old)
	if there := h.world.Inventory(); !reflect.DeepEqual(there, h.expect(t, "running", "serving")) {
		t.Errorf("there is %v", there)
	}
	if h.site(t, s.ID).UpdateAvailable {
		t.Error("an updated site still counts as outdated")
	}
	h.reconciled(t)
	ops, err := h.records.Operations(t.Context(), operations.Filter{SiteID: s.ID, Limit: 1})
	if err != nil || ops[0].ID != op.ID || h.site(t, s.ID).UpdateAvailable {
		t.Errorf("after the next round: %s, %v, outdated %v", ops[0].Kind, err, h.site(t, s.ID).UpdateAvailable)
	}
}

func TestAnUpdateThatDoesNotGetWellGivesBackRecordAndContainer(t *testing.T) {
	for name, spoil := range map[string]func(*house){
		"an image that never answers":   func(h *house) { h.world.BrokenImages[newImage] = true },
		"an image that is gone at once": func(h *house) { h.world.GoneImages[newImage] = true },
		"an image that cannot be built": func(h *house) {
			h.world.Newest.Fail(operations.Permanent(operations.CauseTemplate, errors.New("no such package")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			s, old := h.outdated(t)
			there := h.world.Inventory()
			spoil(h)
			h.run(t, nil)
			op, err := h.desk.UpdateSite(t.Context(), h.admin, s.ID, "")
			h.want(t, operations.Undone, op, err)
			h.madeOf(t, s, old.ImageID, old)
			if after := h.world.Inventory(); !reflect.DeepEqual(after, there) {
				t.Errorf("there is %v, before there was %v", after, there)
			}
			if !h.site(t, s.ID).UpdateAvailable {
				t.Error("the newer image is no longer offered")
			}
		})
	}
}

// routes note for which release of a site the table was written, and fail where a test says so.
type routes struct {
	provision.Routes
	publish func() error
}

func (r routes) Publish(ctx context.Context) error {
	if err := r.publish(); err != nil {
		return err
	}
	return r.Routes.Publish(ctx)
}

func TestASwitchThatIsTakenBackReachesTheTableEvenAtTheSecondTry(t *testing.T) {
	h := newHouse(t)
	s, old := h.outdated(t)
	h.world.DeafTo[newImage] = true
	published, failed := "", false
	h.plans.Routes = routes{h.plans.Routes, func() error {
		now := h.site(t, s.ID).Release.ID
		if published != "" && now == s.Release.ID && !failed {
			failed = true
			return errors.New("no space left on device")
		}
		published = now
		return nil
	}}
	h.run(t, nil)
	op, err := h.desk.UpdateSite(t.Context(), h.admin, s.ID, "")
	h.want(t, operations.Undone, op, err)
	if !failed || published != s.Release.ID {
		t.Errorf("the table leads to release %s, want %s (failed once: %v)", published, s.Release.ID, failed)
	}
	h.madeOf(t, s, old.ImageID, old)
}

// The program of before releases had just replaced the container when it was ended.
func TestAnUpdateOfBeforeReleasesIsFinished(t *testing.T) {
	h := newHouse(t)
	s, old := h.outdated(t)
	plan := operations.Plan{Kind: provision.KindSiteUpdate, Version: 1}
	for _, name := range []string{"image", "pin", "container", "start", "ready", "retire"} {
		plan.Steps = append(plan.Steps, operations.Step{Name: name})
	}
	op, err := operations.NewOperation(plan, time.Now().UTC(), operations.Request{
		Subject: "site:" + s.ID, SiteID: s.ID, Spec: provision.Spec{SiteID: s.ID},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range op.Steps[:3] {
		op.Steps[i].State = operations.StepDone
	}
	h.world.StrayContainer(old.Name+tenants.OldSuffix, s.ID)
	h.world.Container(old.Name + tenants.OldSuffix).Labels[tenants.LabelInstance] = "test"
	if op, err = h.records.Insert(t.Context(), op); err != nil {
		t.Fatal(err)
	}
	h.run(t, nil)
	h.want(t, operations.Done, op, nil)
	h.madeOf(t, s, old.ImageID, old)
	if there := h.world.Inventory(); !reflect.DeepEqual(there, h.expect(t, "running", "serving")) {
		t.Errorf("there is %v", there)
	}
}

// earlier lists the sites as they were when a round began.
type earlier struct {
	provision.Records
	sites []tenants.Site
}

func (e earlier) LiveSites(context.Context) ([]tenants.Site, error) { return e.sites, nil }

func TestASiteThatWasUpdatedWhileTheRoundLookedIsNotRepaired(t *testing.T) {
	h := newHouse(t)
	s, _ := h.outdated(t)
	stop := h.run(t, nil)
	op, err := h.desk.UpdateSite(t.Context(), h.admin, s.ID, "")
	h.want(t, operations.Done, op, err)
	stop()
	h.plans.Records = earlier{h.records, []tenants.Site{s}}
	h.reconciled(t)
	if ops, err := h.records.Operations(t.Context(), operations.Filter{LiveOnly: true}); err != nil || len(ops) > 0 {
		t.Errorf("the reconciler asked for %v (%v)", ops, err)
	}
}

func TestAnUpdateOfASiteThatIsUpToDateTouchesNothing(t *testing.T) {
	h := newHouse(t)
	s := h.provisioned(t)
	old := *h.world.Container(h.world.Front(s.ID))
	h.run(t, nil)
	op, err := h.desk.UpdateSite(t.Context(), h.admin, s.ID, "")
	h.want(t, operations.Done, op, err)
	h.madeOf(t, s, old.ImageID, old)
	if n := h.world.Newest.Builds(); n != 0 {
		t.Errorf("%d builds", n)
	}
}

func TestOnlyReadySitesAreUpdatedAndOnlyByVolunteers(t *testing.T) {
	h := newHouse(t)
	s, _ := h.outdated(t)
	manager := provision.Request{Principal: tenants.Principal{Kind: tenants.KindPerson, Memberships: map[string]tenants.Role{"amap": tenants.RoleManager}}}
	if _, err := h.desk.UpdateSite(t.Context(), manager, s.ID, ""); !errors.Is(err, tenants.ErrForbidden) {
		t.Errorf("a manager: %v, want ErrForbidden", err)
	}
	stop := h.run(t, nil)
	for _, close := range []func(context.Context, provision.Request, string) (operations.Operation, error){h.desk.SuspendSite, h.desk.DeleteSite} {
		op, err := close(t.Context(), h.admin, s.ID)
		h.want(t, operations.Done, op, err)
		if _, err := h.desk.UpdateSite(t.Context(), h.admin, s.ID, ""); !errors.Is(err, tenants.ErrConflict) {
			t.Errorf("a site that is %s: %v, want ErrConflict", h.site(t, s.ID).State, err)
		}
	}
	stop()
}

func TestAnUpdateIsCancelledByThoseWhoMayUpdate(t *testing.T) {
	h := newHouse(t)
	s, old := h.outdated(t)
	op, err := h.desk.UpdateSite(t.Context(), h.admin, s.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	manager := provision.Request{Principal: tenants.Principal{Kind: tenants.KindPerson, Memberships: map[string]tenants.Role{"amap": tenants.RoleManager}}}
	if err := h.desk.CancelOperation(t.Context(), manager, op.ID); !errors.Is(err, tenants.ErrForbidden) {
		t.Errorf("a manager: %v, want ErrForbidden", err)
	}
	if err := h.desk.CancelOperation(t.Context(), h.admin, op.ID); err != nil {
		t.Error(err)
	}
	h.run(t, nil)
	h.want(t, operations.Undone, op, nil)
	h.madeOf(t, s, old.ImageID, old)
}

func TestWhatCannotBeLookedUpLeavesWhatIsKnown(t *testing.T) {
	h := newHouse(t)
	s, _ := h.outdated(t)
	h.world.Newest.Fail(tenants.ErrUnavailable)
	if err := h.reconciler().Reconcile(t.Context()); !errors.Is(err, tenants.ErrUnavailable) {
		t.Errorf("an engine that does not answer: %v", err)
	}
	h.world.Newest.Fail(tenants.ErrNotFound) // no base image on this server
	h.reconciled(t)
	if !h.site(t, s.ID).UpdateAvailable {
		t.Error("a look that failed took back what was known")
	}
	h.world.Newest.Fail(nil)
	h.world.Newest.Change(provisiontest.FirstImage)
	if _, err := (provisiontest.Templates{Newest: h.world.Newest}).Images(t.Context(), "wordpress", "1", nil); err != nil {
		t.Fatal(err)
	}
	h.reconciled(t)
	if h.site(t, s.ID).UpdateAvailable {
		t.Error("a site counts as outdated whose template gives its image again")
	}
}
