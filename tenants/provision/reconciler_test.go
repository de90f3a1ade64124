package provision_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
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

// left puts everything a site may leave behind into the world.
func (h *house) left(id, instance, operation string) []string {
	name := tenants.DatabaseName(id)
	h.world.StrayContainer(provision.ContainerName("test", id), id)
	for _, thing := range []string{"files:" + id, "sockets:" + id, "egress:" + id, "user:" + name} {
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
		name := tenants.DatabaseName(op.SiteID)
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
			h.world.Drop("sockets:" + s.ID)
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
	h.world.Drop("sockets:" + s.ID)
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
			ID: tenants.NewSiteID(), AssociationID: "a00000001", Template: "wordpress", Version: "1", ImageID: "sha256:wordpress1",
			Host: fmt.Sprintf("s%d.lilas.coop", i), State: tenants.StateReady,
		}
		if err := h.records.CreateSite(t.Context(), &s); err != nil {
			t.Fatal(err)
		}
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
