package provision

import (
	"context"
	"encoding/json"
	"fmt"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// actions maps each kind of operation to its action. Operations of other kinds cannot be reversed.
var actions = map[string]tenants.Action{
	KindAssociationCreate: tenants.ActAssociationCreate,
	KindSiteProvision:     tenants.ActSiteCreate,
	KindSiteSuspend:       tenants.ActSiteSuspend,
	KindSiteResume:        tenants.ActSiteResume,
	KindSiteDelete:        tenants.ActSiteDelete,
	KindSiteRestore:       tenants.ActSiteRestore,
	KindSitePurge:         tenants.ActSitePurge,
	KindSiteUpdate:        tenants.ActSiteUpdate,
	KindSiteBackup:        tenants.ActSiteBackup,
	KindSiteRecover:       tenants.ActSiteRecover,
	KindSiteRepair:        tenants.ActSiteRepair,
	KindSiteRest:          tenants.ActSiteRepair,
}

// AuthorizeReversal checks whether p may cancel or retry an operation of an association: p must be allowed its action and
// be on the side that requested it or the co-op's.
func AuthorizeReversal(p tenants.Principal, slug string, op operations.Operation) error {
	var w Spec
	if len(op.Spec) > 0 {
		if err := json.Unmarshal(op.Spec, &w); err != nil {
			return fmt.Errorf("reading who asked for operation %s: %w", op.ID, err)
		}
	}
	return tenants.AuthorizeReversal(p, actions[op.Kind], slug, w.By)
}

// AuthorizeChange checks whether p may do a to a site of an association in the site's present state.
func AuthorizeChange(p tenants.Principal, a tenants.Action, slug string, s tenants.Site) error {
	if a == tenants.ActSiteRestore && s.State == tenants.StateBinned {
		return tenants.AuthorizeReversal(p, a, slug, s.BinnedBy)
	}
	return tenants.Authorize(p, a, slug)
}

// CancelOperation requests that an operation is undone. ErrTooLate past its pivot, or when it has ended.
func (d *Provisioner) CancelOperation(ctx context.Context, r Request, id string) error {
	return d.reverse(ctx, r, id, tenants.ActOperationCancel, func(ctx context.Context, op operations.Operation) error {
		plan, err := d.Registry.Plan(op.Kind, op.PlanVersion)
		if err != nil {
			return err
		}
		if op.State.Ended() || plan.PastPivot(op) {
			return fmt.Errorf("cancelling operation %s: %w", id, operations.ErrTooLate)
		}
		return d.Queue.Cancel(ctx, id)
	})
}

// RetryOperation retries a stuck operation.
func (d *Provisioner) RetryOperation(ctx context.Context, r Request, id string) error {
	return d.reverse(ctx, r, id, tenants.ActOperationRetry, func(ctx context.Context, op operations.Operation) error {
		if op.State != operations.Stuck {
			return fmt.Errorf("operation %s is %s: %w", id, op.State, tenants.ErrConflict)
		}
		return d.Queue.Retry(ctx, id)
	})
}

// reverse authorises, and writes the change and its audit entry in one transaction.
func (d *Provisioner) reverse(ctx context.Context, r Request, id string, act tenants.Action, change func(context.Context, operations.Operation) error) error {
	op, slug, err := d.operation(ctx, r, id)
	if err != nil {
		return err
	}
	if err := tenants.Authorize(r.Principal, act, slug); err != nil {
		return err
	}
	if err := AuthorizeReversal(r.Principal, slug, op); err != nil {
		return err
	}
	err = d.Records.Transact(ctx, func(ctx context.Context) error {
		if err := change(ctx, op); err != nil {
			return err
		}
		return d.Records.Audit(ctx, entry(r, act, op, d.Now()))
	})
	_, err = d.nudged(op, err)
	return err
}

// operation returns an operation and its association's slug, "" for the co-op's own.
func (d *Provisioner) operation(ctx context.Context, r Request, id string) (operations.Operation, string, error) {
	op, err := d.Queue.Operation(ctx, id)
	if err != nil {
		return op, "", hideNotFound(r, err)
	}
	if op.AssociationID == "" {
		return op, "", nil
	}
	a, err := d.Records.Association(ctx, op.AssociationID)
	return op, a.Slug, err
}

// KeepSuspended makes a site that lies in the bin come back suspended, whoever brings it back. The disk guard asks so when
// a site was deleted faster than it could be suspended.
func (d *Provisioner) KeepSuspended(ctx context.Context, r Request, siteID string) error {
	s, a, err := d.siteWithAssociation(ctx, siteID)
	if err != nil {
		return hideNotFound(r, err)
	}
	if err := tenants.Authorize(r.Principal, tenants.ActSiteSuspend, a.Slug); err != nil {
		return err
	}
	return d.Records.Transact(ctx, func(ctx context.Context) error {
		if s, err = d.Records.Site(ctx, siteID); err != nil {
			return err
		}
		if s.State != tenants.StateBinned {
			return fmt.Errorf("site %s is %s: %w", s.ID, s.State, tenants.ErrConflict)
		}
		s.BinnedFrom = tenants.StateSuspended
		if err := d.Records.UpdateSite(ctx, s); err != nil {
			return err
		}
		return d.Records.Audit(ctx, tenants.AuditEntry{
			At: d.Now().UTC(), ActorKind: r.Principal.Kind, ActorID: r.Principal.ID, ActorName: r.Principal.Name,
			Address: r.Address, Action: string(tenants.ActSiteSuspend), AssociationID: a.ID, SiteID: s.ID, Detail: "in the bin",
		})
	})
}
