package provision_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

// reading inserts an operation of the bulk lane that reads all of a site's data, as a backup does, and lets it run on.
func (h *house) reading(t *testing.T, s tenants.Site) operations.Operation {
	t.Helper()
	plan := operations.Plan{
		Kind: "test.read", Lane: operations.Bulk, Steps: []operations.Step{{Name: "read"}},
		Holds: func(op operations.Operation) []operations.Hold {
			return []operations.Hold{{Subject: provision.DataSubject(op.SiteID), Shared: true}}
		},
	}
	op, err := operations.NewOperation(plan, time.Now(), operations.Request{
		Subject: provision.DataSubject(s.ID), AssociationID: s.AssociationID, SiteID: s.ID,
	})
	if err != nil {
		t.Fatal(err)
	}
	if op, err = h.records.Insert(t.Context(), op); err != nil {
		t.Fatal(err)
	}
	until := time.Now().Add(time.Hour)
	op.State, op.Lease.Until = operations.Running, &until
	h.records.Put(op)
	return op
}

func TestASiteIsClosedAndOpenedWhileItsDataIsRead(t *testing.T) {
	h := newHouse(t)
	s := h.provisioned(t)
	h.reading(t, s)
	h.run(t, nil)
	for _, do := range []func(context.Context, provision.Request, string) (operations.Operation, error){
		h.desk.SuspendSite, h.desk.ResumeSite, h.desk.DeleteSite, h.desk.RestoreSite,
	} {
		op, err := do(t.Context(), h.admin, s.ID)
		h.want(t, operations.Done, op, err)
	}
}

func TestASiteIsNeitherUpdatedNorPurgedWhileItsDataIsRead(t *testing.T) {
	h := newHouse(t)
	s := h.provisioned(t)
	read := h.reading(t, s)
	h.run(t, nil)
	if _, err := h.desk.UpdateSite(t.Context(), h.admin, s.ID, ""); !errors.Is(err, operations.ErrBusy) {
		t.Errorf("updating it: %v", err)
	}
	op, err := h.desk.DeleteSite(t.Context(), h.admin, s.ID)
	h.want(t, operations.Done, op, err)
	if _, err := h.desk.PurgeSite(t.Context(), h.admin, s.ID); !errors.Is(err, operations.ErrBusy) {
		t.Errorf("purging it: %v", err)
	}
	h.records.Forget(read.ID)
	op, err = h.desk.PurgeSite(t.Context(), h.admin, s.ID)
	h.want(t, operations.Done, op, err)
}

func TestASiteIsRepairedWhileItsDataIsRead(t *testing.T) {
	h, r, _ := listening(t)
	s := h.provisioned(t)
	h.reading(t, s)
	h.world.ChangeContainer(s.ID, "Memory")
	if err := r.ReconcileSites(t.Context(), []string{s.ID}); err != nil {
		t.Fatal(err)
	}
	op := h.newest(t, s.ID, provision.KindSiteRepair)
	h.run(t, nil)
	h.want(t, operations.Done, op, nil)
}
