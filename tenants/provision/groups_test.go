package provision_test

import (
	"reflect"
	"testing"

	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

// undoneAssociation returns the operation of an association whose creation was undone.
func (h *house) undoneAssociation(t *testing.T) operations.Operation {
	t.Helper()
	op, err := h.desk.CreateAssociation(t.Context(), h.admin, provision.NewAssociation{Name: "Chorale"})
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

func TestTheGroupOfAGivenUpAssociationIsRemoved(t *testing.T) {
	h, r, said := listening(t)
	op := h.undoneAssociation(t)
	before := h.world.Inventory()
	h.world.Put("group:chorale", "test", op.ID)
	rounds(t, r)
	if after := h.world.Inventory(); !reflect.DeepEqual(after, before) {
		t.Errorf("there is %v, want %v", after, before)
	}
	told(t, said, "WARN", "chorale", 1)
}

func TestGroupsThatAreNotOursToRemoveAreToldOnce(t *testing.T) {
	h, r, said := listening(t)
	op := h.undoneAssociation(t)
	site := h.givenUp(t)
	h.world.Put("group:foreign", "other", op.ID)
	h.world.Put("group:unknown", "test", "01unknown")
	h.world.Put("group:by-hand", "", "")
	h.world.Put("group:of-a-site", "test", site.ID)
	want := h.world.Inventory()
	rounds(t, r)
	if after := h.world.Inventory(); !reflect.DeepEqual(after, want) {
		t.Errorf("there is %v, want %v", after, want)
	}
	for _, slug := range []string{"foreign", "unknown", "by-hand", "of-a-site"} {
		told(t, said, "WARN", "group="+slug, 1)
	}
}

// A leftover group that a second association of the same name took over bears the first one's mark.
func TestALivingAssociationsGroupIsKeptWhateverItsMark(t *testing.T) {
	h, r, _ := listening(t)
	op := h.undoneAssociation(t)
	h.world.Put("group:chorale", "test", op.ID)
	stop := h.run(t, nil)
	again, err := h.desk.CreateAssociation(t.Context(), h.admin, provision.NewAssociation{Name: "Chorale"})
	h.want(t, operations.Done, again, err)
	stop()
	want := h.world.Inventory()
	rounds(t, r)
	if after := h.world.Inventory(); !reflect.DeepEqual(after, want) {
		t.Errorf("there is %v, want %v", after, want)
	}
}

func TestAnAssociationWithoutItsGroupIsToldOnce(t *testing.T) {
	h, r, said := listening(t)
	h.world.Drop("group:amap")
	rounds(t, r)
	told(t, said, "ERROR", "slug=amap", 1)
}

func TestAnInstanceWithoutAnAccountSeesNoGroups(t *testing.T) {
	h, r, said := listening(t)
	r.Inventory.Groups = nil
	h.world.Drop("group:amap")
	rounds(t, r)
	told(t, said, "ERROR", "amap", 0)
}
