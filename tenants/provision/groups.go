package provision

import (
	"context"
	"fmt"

	"chatiere/tenants"
)

// groups compares the associations' groups with the records.
func (r *Reconciler) groups(ctx context.Context) error {
	if r.Inventory.Groups == nil {
		return nil
	}
	// The groups before the records: an association's row is older than its group, so a young one is never an orphan.
	found, err := r.Inventory.Groups.List(ctx)
	if err != nil {
		return fmt.Errorf("listing the associations' groups: %w", err)
	}
	known, err := r.Records.Associations(ctx)
	if err != nil {
		return fmt.Errorf("listing associations: %w", err)
	}
	bySlug := map[string]bool{}
	for _, a := range known {
		bySlug[a.Slug] = true
	}
	there := map[string]bool{}
	for _, g := range found {
		there[g.Slug] = true
		if bySlug[g.Slug] {
			continue
		}
		if err := r.orphanGroup(ctx, g); err != nil {
			return fmt.Errorf("looking after group %s: %w", g.Slug, err)
		}
	}
	return r.missingGroups(ctx, known, there)
}

// orphanGroup removes the group of an association whose creation was undone; any other is logged once.
func (r *Reconciler) orphanGroup(ctx context.Context, g FoundGroup) error {
	given, err := r.givenUp(ctx, g)
	if err != nil {
		return err
	}
	if given {
		r.Log.Warn("removing the group of an association that was given up", "group", g.Slug, "operation", g.Operation)
		return r.Groups.RemoveAssociation(ctx, g.Slug)
	}
	if r.firstTime("group " + g.Slug) {
		r.Log.Warn("a group is named like an association's but no record knows it; leaving it alone",
			"group", g.Slug, "instance", g.Instance, "operation", g.Operation)
	}
	return nil
}

func (r *Reconciler) givenUp(ctx context.Context, g FoundGroup) (bool, error) {
	op, err := r.creatorOf(ctx, g.Instance, g.Operation)
	if err != nil || !op.State.Ended() {
		return false, err
	}
	a, err := r.Records.Association(ctx, op.AssociationID)
	return a.State == tenants.AssociationDeleted, err
}

// missingGroups logs once each association whose group is gone. It is not recreated: its members are lost.
func (r *Reconciler) missingGroups(ctx context.Context, known []tenants.Association, there map[string]bool) error {
	for _, a := range known {
		key := "group of " + a.ID + " lost"
		if a.State != tenants.AssociationActive || there[a.Slug] {
			delete(r.reported, key)
			continue
		}
		if r.reported[key] {
			continue
		}
		if _, ok, err := r.Groups.AssociationExists(ctx, a.Slug); err != nil || ok { // made while we looked
			return err
		}
		if r.firstTime(key) {
			r.Log.Error("records and reality contradict each other: an association has lost its groups in Keycloak; make them again there",
				"association", a.ID, "slug", a.Slug)
		}
	}
	return nil
}
