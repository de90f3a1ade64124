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

func TestOtherLimitsRestartNoSiteAndMakeAnUpdateAvailable(t *testing.T) {
	h := newHouse(t)
	s := h.provisioned(t)
	old := *h.world.Container(h.world.Front(s.ID))
	h.world.Newest.Limit(512 << 20)
	for range 6 { // each site is compared in full in one round of five
		h.reconciled(t)
	}
	if ops, err := h.records.Operations(t.Context(), operations.Filter{LiveOnly: true}); err != nil || len(ops) > 0 {
		t.Errorf("the reconciler asked for %v (%v)", ops, err)
	}
	if !h.site(t, s.ID).UpdateAvailable {
		t.Error("nobody is told that the limits changed")
	}
	h.run(t, nil)
	op, err := h.desk.UpdateSite(t.Context(), h.admin, s.ID, "")
	h.want(t, operations.Done, op, err)
	now := h.site(t, s.ID)
	d, err := h.plans.Definition(t.Context(), now)
	if err != nil || now.Release.Number != 2 || d.Containers[0].MemoryBytes != 512<<20 {
		t.Errorf("the release is %+v: %+v (%v)", now.Release, d, err)
	}
	if h.world.Container(old.Name) != nil {
		t.Error("the old container is left")
	}
	if had, err := h.records.Definition(t.Context(), s.Release.ID); err != nil || had.Containers[0].MemoryBytes != 0 {
		t.Errorf("the old release changed: %+v (%v)", had, err)
	}
}

// Old and new stand side by side: visitors are led over only when the new release has answered.
func TestVisitorsStayWithTheOldReleaseUntilTheNewOneAnswers(t *testing.T) {
	h := newHouse(t)
	s, old := h.outdated(t)
	h.world.BrokenImages[newImage] = true
	op, err := h.desk.UpdateSite(t.Context(), h.admin, s.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	stop := h.run(t, nil)
	t.Cleanup(stop)
	deadline := time.Now().Add(30 * time.Second)
	for c := h.world.Container("chatiere-test-" + s.ID + "-2-web"); c == nil || !c.Running(); c = h.world.Container("chatiere-test-" + s.ID + "-2-web") {
		if time.Now().After(deadline) {
			t.Fatal("the new container never ran")
		}
		time.Sleep(time.Millisecond) // polls a condition, with a deadline
	}
	if c := h.world.Container(old.Name); c == nil || !c.Running() || h.site(t, s.ID).Release.ID != s.Release.ID {
		t.Errorf("the old container is %+v, the release %+v", c, h.site(t, s.ID).Release)
	}
	if err := h.records.Cancel(t.Context(), op.ID); err != nil {
		t.Fatal(err)
	}
}

func TestASiteThatIsHaltedInTheMiddleOfAnUpdateRunsNowhere(t *testing.T) {
	h := newHouse(t)
	s, old := h.outdated(t)
	waiting, halted := make(chan struct{}), make(chan struct{})
	stop := h.run(t, func(_ context.Context, _ operations.Operation, step string, point operations.Point) {
		if step == "ready" && point == operations.BeforeDo {
			close(waiting)
			<-halted
		}
	})
	if _, err := h.desk.UpdateSite(t.Context(), h.admin, s.ID, ""); err != nil {
		t.Fatal(err)
	}
	<-waiting
	err := h.plans.Halt(t.Context(), h.site(t, s.ID))
	for _, name := range []string{old.Name, "chatiere-test-" + s.ID + "-2-web"} {
		if c := h.world.Container(name); c == nil || c.Running() {
			t.Errorf("%s: %+v (%v)", name, c, err)
		}
	}
	close(halted)
	stop()
}

// Sites of before there were releases keep their container, whatever their template gives now.
func TestTheFirstReleaseIsRecordedFromTheContainerThatRuns(t *testing.T) {
	h := newHouse(t)
	s := tenants.Site{
		ID: tenants.NewSiteID(), AssociationID: "a00000001", Template: "wordpress", Host: "old.lilas.coop", State: tenants.StateReady,
	}
	if err := h.records.CreateSite(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	name := provision.FirstContainerName("test", s.ID)
	h.left(s.ID, "test", "01op")
	h.world.RemoveNamed("chatiere-test-" + s.ID + "-1-web")
	h.world.StrayContainer(name, s.ID)
	h.world.Drop("sockets:" + s.ID + "/r1")
	h.world.Put("sockets:"+s.ID+"/", "", "") // where the socket lay
	h.world.Newest.Change("sha256:wordpress2")
	before := *h.world.Container(name)
	if err := h.plans.Record(t.Context(), s, "1", provisiontest.FirstImage); err != nil {
		t.Fatal(err)
	}
	got := h.site(t, s.ID).Release
	want := tenants.ReleaseContainer{Name: "web", Container: name, ImageID: provisiontest.FirstImage, Front: true}
	if got.Number != 1 || got.Sockets != "" || got.Generation != 1 || !reflect.DeepEqual(got.Containers, []tenants.ReleaseContainer{want}) {
		t.Errorf("recorded %+v", got)
	}
	for range 6 {
		h.reconciled(t)
	}
	if after := h.world.Container(name); after == nil || !reflect.DeepEqual(*after, before) {
		t.Errorf("the container is %+v, was %+v", after, before)
	}
	if ops, err := h.records.Operations(t.Context(), operations.Filter{LiveOnly: true}); err != nil || len(ops) > 0 {
		t.Errorf("the reconciler asked for %v (%v)", ops, err)
	}
	if !h.site(t, s.ID).UpdateAvailable {
		t.Error("no update is offered")
	}
}

// records fails where a test says so.
type records struct {
	provision.Records
	setRelease func() error
}

func (r records) SetRelease(ctx context.Context, release tenants.Release) error {
	if err := r.setRelease(); err != nil {
		return err
	}
	return r.Records.SetRelease(ctx, release)
}

// Such a repair was begun by a program of before releases, and the site's template is gone, so that nothing can be recorded.
func TestARepairOfASiteWithoutAReleaseKeepsItsContainer(t *testing.T) {
	h := newHouse(t)
	s := tenants.Site{ID: tenants.NewSiteID(), AssociationID: "a00000001", Template: "wordpress", Host: "old.lilas.coop", State: tenants.StateReady}
	if err := h.records.CreateSite(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	name := provision.FirstContainerName("test", s.ID)
	h.world.StrayContainer(name, s.ID)
	plan, err := h.registry.Latest(provision.KindSiteRepair)
	if err != nil {
		t.Fatal(err)
	}
	op, err := operations.NewOperation(plan, time.Now().UTC(), operations.Request{
		Subject: "site:" + s.ID, SiteID: s.ID, Spec: provision.Spec{SiteID: s.ID},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range op.Steps[:len(op.Steps)-1] { // all but "retire"
		op.Steps[i].State = operations.StepDone
	}
	if op, err = h.records.Insert(t.Context(), op); err != nil {
		t.Fatal(err)
	}
	h.run(t, nil)
	h.want(t, operations.Done, op, nil)
	if h.world.Container(name) == nil {
		t.Error("its only container was removed")
	}
}

func TestARecordingThatWasCutShortIsRepeated(t *testing.T) {
	h := newHouse(t)
	s := tenants.Site{ID: tenants.NewSiteID(), AssociationID: "a00000001", Template: "wordpress", Host: "old.lilas.coop", State: tenants.StateBinned}
	if err := h.records.CreateSite(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	h.plans.Records = records{h.records, func() error { return tenants.ErrUnavailable }}
	if err := h.plans.Record(t.Context(), s, "1", "sha256:old"); !errors.Is(err, tenants.ErrUnavailable) {
		t.Fatalf("cut short: %v", err)
	}
	h.plans.Records = h.records
	if err := h.plans.Record(t.Context(), s, "1", "sha256:old"); err != nil || h.site(t, s.ID).Release.Number != 1 {
		t.Errorf("repeated: %v, the release is %+v", err, h.site(t, s.ID).Release)
	}
}

// One without a container, as in the bin, keeps the image that it was made of.
func TestAFirstReleaseWithoutAContainerIsOfTheImageTheSiteHad(t *testing.T) {
	h := newHouse(t)
	s := tenants.Site{ID: tenants.NewSiteID(), AssociationID: "a00000001", Template: "wordpress", Host: "old.lilas.coop", State: tenants.StateBinned}
	if err := h.records.CreateSite(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	if err := h.plans.Record(t.Context(), s, "1", "sha256:old"); err != nil {
		t.Fatal(err)
	}
	r := h.site(t, s.ID).Release
	d, err := h.plans.Definition(t.Context(), h.site(t, s.ID))
	if err != nil || r.Front().ImageID != "sha256:old" || d.Containers[0].Image != "sha256:old" || d.Containers[0].Labels[tenants.LabelSite] != s.ID {
		t.Errorf("recorded %+v: %+v (%v)", r, d, err)
	}
}

// One that could not be recorded, since its template is gone, is closed to visitors; it must not run on.
func TestASiteWithoutAReleaseIsStoppedAllTheSame(t *testing.T) {
	h := newHouse(t)
	s := tenants.Site{ID: tenants.NewSiteID(), AssociationID: "a00000001", Template: "gone", Host: "old.lilas.coop", State: tenants.StateReady}
	if err := h.records.CreateSite(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	name := provision.FirstContainerName("test", s.ID)
	h.world.StrayContainer(name, s.ID)
	h.run(t, nil)
	op, err := h.desk.SuspendSite(t.Context(), h.admin, s.ID)
	h.want(t, operations.Done, op, err)
	if c := h.world.Container(name); c == nil || c.Running() {
		t.Errorf("its container is %+v", c)
	}
}
