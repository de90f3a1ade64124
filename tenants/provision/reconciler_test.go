package provision_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/findings"
	"chatiere/tenants/findings/findingstest"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
	"chatiere/tenants/provision/provisiontest"
	"chatiere/tenants/recovery"
)

// listening is a house whose reconciler's words are kept.
func listening(t *testing.T) (*house, *provision.Reconciler, *bytes.Buffer) {
	t.Helper()
	h := newHouse(t)
	h.world.Put("group:amap", "test", "")
	var said bytes.Buffer
	h.plans.Log = slog.New(slog.NewTextHandler(&said, nil))
	return h, h.reconciler(), &said
}

// rounds makes two, since what is told once must not be told by the second.
func rounds(t *testing.T, r *provision.Reconciler) {
	t.Helper()
	for range 2 {
		if err := r.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func told(t *testing.T, said *bytes.Buffer, level, word string, times int) {
	t.Helper()
	n := 0
	for line := range strings.Lines(said.String()) {
		if strings.Contains(line, "level="+level) && strings.Contains(line, word) {
			n++
		}
	}
	if n != times {
		t.Errorf("%s with %q was said %d times, want %d; all that was said:\n%s", level, word, n, times, said)
	}
}

// release gives a site a release of one container, as the fake templates make it.
func (h *house) release(t *testing.T, s *tenants.Site, r tenants.Release) {
	t.Helper()
	r.SiteID, r.Number, r.Template, r.Sockets = s.ID, 1, s.Template, "r1"
	version := r.Version
	r.Version = "1"
	r, d, err := (provisiontest.Templates{}).Define(*s, r, map[string]string{"": provisiontest.FirstImage})
	if err != nil {
		t.Fatal(err)
	}
	r.Version, r.Containers[0].Container = version, "chatiere-test-"+s.ID+"-1-web"
	d.Containers[0].Name, d.Containers[0].Image = r.Containers[0].Container, provisiontest.FirstImage
	if err := errors.Join(h.records.CreateRelease(t.Context(), &r, d), h.records.SetRelease(t.Context(), r)); err != nil {
		t.Fatal(err)
	}
	s.Release = r
}

// left puts everything a site may leave behind into the world.
func (h *house) left(id, instance, operation string) []string {
	name := tenants.DatabaseName(id, 1)
	h.world.StrayContainer("chatiere-test-"+id+"-1-web", id)
	for _, thing := range []string{"files:" + id, "sockets:" + id + "/r1", "egress:" + id, "user:" + name} {
		h.world.Put(thing, "", "")
	}
	h.world.Put("database:"+name, instance, operation)
	return h.world.Inventory()
}

// givenUp returns a site whose provisioning was undone, and the operation that gave it up.
func (h *house) givenUp(t *testing.T) operations.Operation {
	t.Helper()
	op, err := h.desk.CreateSite(t.Context(), h.admin, h.wish())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.desk.CancelOperation(t.Context(), h.admin, op.ID); err != nil {
		t.Fatal(err)
	}
	stop := h.run(t, nil)
	defer stop()
	return h.want(t, operations.Undone, op, nil)
}

func TestWhatAGivenUpSiteLeftIsRemoved(t *testing.T) {
	h, r, said := listening(t)
	op := h.givenUp(t)
	before := h.world.Inventory()
	h.left(op.SiteID, "test", op.ID)
	rounds(t, r)
	if after := h.world.Inventory(); !reflect.DeepEqual(after, before) {
		t.Errorf("there is %v, want %v", after, before)
	}
	told(t, said, "WARN", "given up", 1)
}

func TestWhatNoRecordKnowsIsToldOnceAndLeftAlone(t *testing.T) {
	h, r, said := listening(t)
	want := h.left("s99999999", "test", "01other")
	rounds(t, r)
	if after := h.world.Inventory(); !reflect.DeepEqual(after, want) {
		t.Errorf("there is %v, want %v", after, want)
	}
	told(t, said, "WARN", "no record knows", 1)
	for _, word := range []string{"container", "egress list", "database site_s99999999", "database user", "directories"} {
		told(t, said, "WARN", word, 1)
	}
}

func TestAGivenUpSitesDatabaseNeedsTheMarkOfOurOwnOperation(t *testing.T) {
	for _, c := range []struct{ instance, operation string }{{"other", ""}, {"test", "01unknown"}, {"", ""}} {
		h, r, said := listening(t)
		op := h.givenUp(t)
		if c.instance == "other" {
			c.operation = op.ID
		}
		name := tenants.DatabaseName(op.SiteID, 1)
		h.world.Put("database:"+name, c.instance, c.operation)
		want := h.world.Inventory()
		rounds(t, r)
		if after := h.world.Inventory(); !reflect.DeepEqual(after, want) {
			t.Errorf("%+v: there is %v, want %v", c, after, want)
		}
		told(t, said, "WARN", "not the mark", 1)
		told(t, said, "WARN", "removing", 0)
	}
}

func TestWhatAnOperationStillWorksOnIsNoStray(t *testing.T) {
	h, r, _ := listening(t)
	s := h.provisioned(t)
	stop := h.run(t, nil)
	op, err := h.desk.DeleteSite(t.Context(), h.admin, s.ID)
	h.want(t, operations.Done, op, err)
	stop()
	if _, err := h.desk.PurgeSite(t.Context(), h.admin, s.ID); err != nil {
		t.Fatal(err)
	}
	s.State = tenants.StatePurged // as the purge's last step writes it, before the operation has ended
	if err := h.records.UpdateSite(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	rounds(t, r)
	if there := strings.Join(h.world.Inventory(), " "); !strings.Contains(there, "files:"+s.ID) {
		t.Errorf("the files were taken from under the operation: %s", there)
	}
}

func TestASiteThatLostItsDatabaseOrDataIsToldOnceAndNotMadeAgain(t *testing.T) {
	for _, lost := range []string{"database:site_", "user:site_", "files:"} {
		h, r, said := listening(t)
		s := h.provisioned(t)
		h.world.Drop(lost + s.ID)
		want := h.world.Inventory()
		rounds(t, r)
		if after := h.world.Inventory(); !reflect.DeepEqual(after, want) {
			t.Errorf("without %s there is %v, want %v", lost, after, want)
		}
		told(t, said, "ERROR", s.ID, 1)
		if ops, err := h.records.Operations(t.Context(), operations.Filter{LiveOnly: true}); err != nil || len(ops) > 0 {
			t.Errorf("without %s the reconciler asked for %v, %v", lost, ops, err)
		}
	}
}

func TestASecondLossIsToldAgain(t *testing.T) {
	h, r, said := listening(t)
	s := h.provisioned(t)
	for range 2 {
		h.world.Drop("user:" + s.Database())
		rounds(t, r)
		h.world.Put("user:"+s.Database(), "", "")
		rounds(t, r)
	}
	told(t, said, "ERROR", s.ID, 2)
}

func TestADatabaseServerThatIsDownHasLostNothing(t *testing.T) {
	h, r, said := listening(t)
	s := h.provisioned(t)
	h.world.DatabasesDown = true
	h.world.StopContainer(s.ID)
	if err := r.Reconcile(t.Context()); err == nil {
		t.Error("that it does not answer is not told")
	}
	told(t, said, "ERROR", s.ID, 0)
	ops, err := h.records.Operations(t.Context(), operations.Filter{LiveOnly: true})
	if err != nil || len(ops) != 1 || ops[0].Kind != provision.KindSiteRepair {
		t.Errorf("asked for %v, %v; want the repair of the stopped container all the same", ops, err)
	}
}

// A reboot takes run/ away where it lies in memory; Docker cannot start what was bound there.
func TestLostSocketsAreMadeAgain(t *testing.T) {
	for name, harm := range map[string]func(h *house, id string){
		"and the container stopped": func(h *house, id string) { h.world.StopContainer(id) },
		"under a running container": func(*house, string) {},
	} {
		t.Run(name, func(t *testing.T) {
			h, r, _ := listening(t)
			s := h.provisioned(t)
			want := h.world.Inventory()
			h.world.Drop(provisiontest.Sockets(s))
			harm(h, s.ID)
			h.run(t, nil)
			if err := r.Reconcile(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.want(t, operations.Done, h.newest(t, s.ID, provision.KindSiteRepair), nil)
			if after := h.world.Inventory(); !reflect.DeepEqual(after, want) {
				t.Errorf("there is %v, want %v", after, want)
			}
			rounds(t, r)
			if again := h.newest(t, s.ID, provision.KindSiteRepair); !again.State.Ended() {
				t.Error("what was repaired is repaired again")
			}
		})
	}
}

func TestASuspendedSiteCanBeResumedAfterItsSocketsWereLost(t *testing.T) {
	h, r, _ := listening(t)
	s := h.provisioned(t)
	h.run(t, nil)
	op, err := h.desk.SuspendSite(t.Context(), h.admin, s.ID)
	h.want(t, operations.Done, op, err)
	h.world.Drop(provisiontest.Sockets(s))
	if err := r.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.want(t, operations.Done, h.newest(t, s.ID, provision.KindSiteRest), nil)
	op, err = h.desk.ResumeSite(t.Context(), h.admin, s.ID)
	h.want(t, operations.Done, op, err)
}

func (h *house) newest(t *testing.T, siteID, kind string) operations.Operation {
	t.Helper()
	ops, err := h.records.Operations(t.Context(), operations.Filter{SiteID: siteID, Limit: 1})
	if err != nil || len(ops) != 1 || ops[0].Kind != kind {
		t.Fatalf("newest operation is %v, %v; want one %s", ops, err, kind)
	}
	return ops[0]
}

// counted counts what a round asks of the records about single sites.
type counted struct {
	provision.Records
	single int
}

func (c *counted) Site(ctx context.Context, id string) (tenants.Site, error) {
	c.single++
	return c.Records.Site(ctx, id)
}

func TestARoundOverFiveHundredWholeSitesAsksForNoneByItself(t *testing.T) {
	h, r, said := listening(t)
	for i := range 500 {
		s := tenants.Site{
			ID: tenants.NewSiteID(), AssociationID: "a00000001", Template: "wordpress",
			Host: fmt.Sprintf("s%d.lilas.coop", i), State: tenants.StateReady,
		}
		if err := h.records.CreateSite(t.Context(), &s); err != nil {
			t.Fatal(err)
		}
		h.release(t, &s, tenants.Release{ID: fmt.Sprintf("r%d", i), Version: "1"})
		h.left(s.ID, "test", "01op")
	}
	c := &counted{Records: h.records}
	r.Plans.Records = c
	rounds(t, r)
	if c.single != 0 || said.Len() > 0 {
		t.Errorf("%d questions about single sites; said %s", c.single, said)
	}
}

func TestRefusedCredentialsNeedAPerson(t *testing.T) {
	h := newHouse(t)
	h.world.Refuse = true
	h.run(t, nil)
	op, err := h.desk.CreateAssociation(t.Context(), h.admin, provision.NewAssociation{Name: "Chorale"})
	got := h.want(t, operations.Stuck, op, err)
	if got.Problem != string(operations.CauseRefused) {
		t.Errorf("stuck because of %q, want %q", got.Problem, operations.CauseRefused)
	}
}

func TestASiteWithoutItsDataIsNotStarted(t *testing.T) {
	h, r, _ := listening(t)
	s := h.provisioned(t)
	h.world.StopContainer(s.ID)
	h.world.Drop("files:" + s.ID)
	rounds(t, r)
	if ops, err := h.records.Operations(t.Context(), operations.Filter{LiveOnly: true}); err != nil || len(ops) > 0 {
		t.Errorf("the reconciler asked for %v, %v", ops, err)
	}
}

func TestWhatAPurgeTakesAwayIsNotMissed(t *testing.T) {
	h, r, said := listening(t)
	s := h.provisioned(t)
	stop := h.run(t, nil)
	op, err := h.desk.DeleteSite(t.Context(), h.admin, s.ID)
	h.want(t, operations.Done, op, err)
	stop()
	if _, err := h.desk.PurgeSite(t.Context(), h.admin, s.ID); err != nil {
		t.Fatal(err)
	}
	h.world.Drop("database:"+s.Database(), "user:"+s.Database()) // half of its way
	rounds(t, r)
	told(t, said, "ERROR", s.ID, 0)
}

// repaired lets the reconciler look at one site, runs what it asks for, and returns the operation; none when it asks for none.
func (h *house) repaired(t *testing.T, r *provision.Reconciler, s tenants.Site) operations.Operation {
	t.Helper()
	time.Sleep(time.Millisecond) // ids sort by their time, and a bubble's clock stands still: the order would be chance
	if err := r.ReconcileSites(t.Context(), []string{s.ID}); err != nil {
		t.Fatal(err)
	}
	live, err := h.records.Operations(t.Context(), operations.Filter{SiteID: s.ID, LiveOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(live) == 0 {
		return operations.Operation{}
	}
	stop := h.run(t, nil)
	defer stop()
	return h.wait(t, live[0].ID)
}

func TestAContainerChangedByHandIsReplacedByOneAsItMustBe(t *testing.T) {
	h, r, _ := listening(t)
	s := h.provisioned(t)
	name := h.world.Front(s.ID)
	if op := h.repaired(t, r, s); op.ID != "" {
		t.Fatalf("a whole site was repaired by %+v", op)
	}
	h.world.ChangeContainer(s.ID, "Memory")
	if op := h.repaired(t, r, s); op.State != operations.Done || op.Kind != provision.KindSiteRepair {
		t.Fatalf("the repair is %+v", op)
	}
	if c := h.world.Container(name); c == nil || !c.Running() {
		t.Errorf("the container is %+v", c)
	}
	if h.world.Container(name+tenants.OldSuffix) != nil {
		t.Error("the changed one is left")
	}
	if op := h.repaired(t, r, s); op.ID != "" {
		t.Errorf("repaired again: %+v", op)
	}
}

func TestASiteThatStaysSilentIsStartedAnewOnce(t *testing.T) {
	h, r, _ := listening(t)
	s := h.provisioned(t)
	var told []tenants.Finding
	r.Findings = tell(func(seen []tenants.Finding) { told = seen })
	silence := time.Duration(0)
	r.Silent = func(string) time.Time { return time.Now().Add(-silence) }
	for _, step := range []struct {
		silence  time.Duration
		repaired bool
	}{{time.Minute, false}, {3 * time.Minute, true}, {3 * time.Minute, false}} {
		silence = step.silence
		op := h.repaired(t, r, s)
		if repaired := op.ID != ""; repaired != step.repaired || repaired && op.State != operations.Done {
			t.Errorf("silent for %s: %+v, want a repair: %t", step.silence, op, step.repaired)
		}
		if len(told) != 1 || told[0].Code != tenants.FindingSiteIll || told[0].Subject != s.ID {
			t.Errorf("silent for %s: told %+v", step.silence, told)
		}
	}
	r.Silent = func(string) time.Time { return time.Time{} }
	if op := h.repaired(t, r, s); op.ID != "" || len(told) != 0 {
		t.Errorf("it answers again: %+v, told %+v", op, told)
	}
}

type tell func([]tenants.Finding)

func (f tell) Replace(_ context.Context, _ tenants.FindingScope, seen []tenants.Finding) error {
	f(seen)
	return nil
}

func TestABrokenImageNeverReplacesAWorkingContainer(t *testing.T) {
	for name, spoil := range map[string]func(w *provisiontest.World, image string){
		"that never answers": func(w *provisiontest.World, image string) { w.BrokenImages[image] = true },
		"that is gone":       func(w *provisiontest.World, image string) { w.GoneImages[image] = true },
	} {
		synctest.Test(t, func(t *testing.T) {
			h, r, _ := listening(t)
			book := &findingstest.Records{}
			r.Findings = &findings.Store{Records: book, Now: h.plans.Now, Log: slog.New(slog.DiscardHandler)}
			s := h.provisioned(t)
			h.world.ExchangeImage(s.ID, "sha256:by-hand")
			spoil(h.world, s.Release.Front().ImageID)
			if op := h.repaired(t, r, s); op.State != operations.Undone {
				t.Errorf("one %s: the repair is %+v", name, op)
			}
			c := h.world.Container(h.world.Front(s.ID))
			if c == nil || !c.Running() || c.ImageID != "sha256:by-hand" {
				t.Errorf("one %s: the container is %+v", name, c)
			}
			for range 2 {
				if op := h.repaired(t, r, s); op.ID != "" {
					t.Errorf("one %s: tried again by %+v", name, op)
				}
			}
			open, err := book.Findings(t.Context(), tenants.FindingFilter{})
			if err != nil || len(open) != 1 || open[0].Code != tenants.FindingSiteNotReplaced || open[0].Subject != s.ID {
				t.Errorf("one %s: open are %+v (%v)", name, open, err)
			}
		})
	}
}

func TestAStrangerUnderASitesNameIsToldAndNotTouched(t *testing.T) {
	h, r, _ := listening(t)
	book := &findingstest.Records{}
	r.Findings = &findings.Store{Records: book, Now: h.plans.Now, Log: slog.New(slog.DiscardHandler)}
	s := h.provisioned(t)
	name := h.world.Front(s.ID)
	h.world.RemoveContainer(s.ID)
	h.world.StrayContainer(name, "")
	if op := h.repaired(t, r, s); op.ID != "" {
		t.Errorf("the reconciler asked for %+v", op)
	}
	open, _ := book.Findings(t.Context(), tenants.FindingFilter{Subject: s.ID})
	if len(open) != 1 || open[0].Code != tenants.FindingSiteNameTaken {
		t.Errorf("open are %+v", open)
	}
	h.world.RemoveContainer(s.ID)
	if op := h.repaired(t, r, s); op.State != operations.Done {
		t.Errorf("once the name is free: %+v", op)
	}
	if open, _ := book.Findings(t.Context(), tenants.FindingFilter{}); len(open) != 0 {
		t.Errorf("still open are %+v", open)
	}
}

func TestASiteWhoseTemplateIsGoneIsToldAndStillRepaired(t *testing.T) {
	h, r, _ := listening(t)
	book := &findingstest.Records{}
	r.Findings = &findings.Store{Records: book, Now: h.plans.Now, Log: slog.New(slog.DiscardHandler)}
	s := h.provisioned(t)
	old := s.Release
	old.Version = "0.9"
	if err := h.records.SetRelease(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	h.world.RemoveContainer(s.ID)
	if op := h.repaired(t, r, s); op.State != operations.Done {
		t.Errorf("the repair is %+v", op)
	}
	open, _ := book.Findings(t.Context(), tenants.FindingFilter{Subject: s.ID})
	if len(open) != 1 || open[0].Code != tenants.FindingSiteTemplate || open[0].Args["version"] != "0.9" {
		t.Errorf("open are %+v", open)
	}
}

// panicky panics over one site.
type panicky struct {
	provision.Disk
	id string
}

func (p panicky) Has(ctx context.Context, s tenants.Site) (data, sockets bool, err error) {
	if s.ID == p.id {
		panic("boom")
	}
	return p.Disk.Has(ctx, s)
}

func TestAPanicOverOneSiteKeepsNoOtherFromItsRepair(t *testing.T) {
	h, r, _ := listening(t)
	first := h.provisioned(t)
	wish := h.wish()
	wish.Host = "second"
	stop := h.run(t, nil)
	op, err := h.desk.CreateSite(t.Context(), h.admin, wish)
	op = h.want(t, operations.Done, op, err)
	stop()
	r.Plans.Disk = panicky{r.Plans.Disk, first.ID}
	h.world.RemoveContainer(first.ID)
	h.world.RemoveContainer(op.SiteID)
	if err := r.Reconcile(t.Context()); !errors.Is(err, recovery.ErrPanic) {
		t.Errorf("the round answered %v", err)
	}
	if op := h.newest(t, op.SiteID, provision.KindSiteRepair); op.ID == "" {
		t.Error("the second site is not repaired")
	}
}
