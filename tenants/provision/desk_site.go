package provision

import (
	"context"
	"fmt"
	"slices"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// change is a wish about a site that exists.
type change struct {
	act  tenants.Action
	kind string
	from []tenants.SiteState // states it is possible in
}

var (
	suspend = change{tenants.ActSiteSuspend, KindSiteSuspend, []tenants.SiteState{tenants.StateReady}}
	resume  = change{tenants.ActSiteResume, KindSiteResume, []tenants.SiteState{tenants.StateSuspended}}
	remove  = change{tenants.ActSiteDelete, KindSiteDelete, []tenants.SiteState{tenants.StateReady, tenants.StateSuspended}}
	restore = change{tenants.ActSiteRestore, KindSiteRestore, []tenants.SiteState{tenants.StateBinned}}
	purge   = change{tenants.ActSitePurge, KindSitePurge, []tenants.SiteState{tenants.StateBinned}}
)

// SuspendSite closes a site to visitors and stops it; its data stays.
func (d *Desk) SuspendSite(ctx context.Context, r Request, siteID string) (operations.Operation, error) {
	return d.change(ctx, r, siteID, suspend)
}

// ResumeSite opens a suspended site again.
func (d *Desk) ResumeSite(ctx context.Context, r Request, siteID string) (operations.Operation, error) {
	return d.change(ctx, r, siteID, resume)
}

// DeleteSite puts a site into the bin, from which RestoreSite brings it back.
func (d *Desk) DeleteSite(ctx context.Context, r Request, siteID string) (operations.Operation, error) {
	return d.change(ctx, r, siteID, remove)
}

// RestoreSite brings a site back from the bin.
func (d *Desk) RestoreSite(ctx context.Context, r Request, siteID string) (operations.Operation, error) {
	return d.change(ctx, r, siteID, restore)
}

// PurgeSite destroys a binned site and its data for good.
func (d *Desk) PurgeSite(ctx context.Context, r Request, siteID string) (operations.Operation, error) {
	return d.change(ctx, r, siteID, purge)
}

// change answers ErrNotFound for a site of a foreign association, ErrConflict when the site's state forbids the wish,
// operations.ErrBusy while another operation works on it.
func (d *Desk) change(ctx context.Context, r Request, siteID string, c change) (operations.Operation, error) {
	s, a, err := d.find(ctx, siteID)
	if err != nil {
		return operations.Operation{}, concealed(r, err)
	}
	if err := tenants.Authorize(r.Principal, c.act, a.Slug); err != nil {
		return operations.Operation{}, err
	}
	var op operations.Operation
	err = d.Records.Transact(ctx, func(ctx context.Context) error {
		w := Wish{AssociationID: a.ID, SiteID: s.ID, Was: s.State}
		var err error
		if op, err = d.insert(ctx, r, c.kind, c.act, w, "site:"+s.ID); err != nil {
			return err
		}
		// Read again under the subject's lock that Insert took: the state may have changed since.
		now, err := d.Records.Site(ctx, siteID)
		if err != nil {
			return err
		}
		if !slices.Contains(c.from, now.State) || now.State != s.State {
			return fmt.Errorf("site %s is %s: %w", s.ID, now.State, tenants.ErrConflict)
		}
		return nil
	})
	return d.nudged(op, err)
}

func (d *Desk) find(ctx context.Context, siteID string) (tenants.Site, tenants.Association, error) {
	s, err := d.Records.Site(ctx, siteID)
	if err != nil {
		return s, tenants.Association{}, err
	}
	a, err := d.Records.Association(ctx, s.AssociationID)
	return s, a, err
}

// concealed keeps "no such thing" from telling an anonymous asker more than "sign in".
func concealed(r Request, err error) error {
	if r.Principal.Kind == tenants.KindAnonymous || r.Principal.Kind == "" {
		return tenants.ErrUnauthenticated
	}
	return err
}

// CancelOperation asks for an operation to be undone. ErrTooLate past its pivot, or when it has ended.
func (d *Desk) CancelOperation(ctx context.Context, r Request, id string) error {
	op, err := d.operation(ctx, r, id, tenants.ActOperationCancel)
	if err != nil {
		return err
	}
	plan, err := d.Registry.Plan(op.Kind, op.PlanVersion)
	if err != nil {
		return err
	}
	if op.State.Ended() || plan.PastPivot(op) {
		return fmt.Errorf("cancelling operation %s: %w", id, operations.ErrTooLate)
	}
	if err := d.Queue.Cancel(ctx, id); err != nil {
		return err
	}
	_, err = d.nudged(op, d.Records.Audit(ctx, entry(r, tenants.ActOperationCancel, op, d.Now())))
	return err
}

// RetryOperation sets a stuck operation going again.
func (d *Desk) RetryOperation(ctx context.Context, r Request, id string) error {
	op, err := d.operation(ctx, r, id, tenants.ActOperationRetry)
	if err != nil {
		return err
	}
	if op.State != operations.Stuck {
		return fmt.Errorf("operation %s is %s: %w", id, op.State, tenants.ErrConflict)
	}
	if err := d.Queue.Retry(ctx, id); err != nil {
		return err
	}
	_, err = d.nudged(op, d.Records.Audit(ctx, entry(r, tenants.ActOperationRetry, op, d.Now())))
	return err
}

func (d *Desk) operation(ctx context.Context, r Request, id string, act tenants.Action) (operations.Operation, error) {
	op, err := d.Queue.Operation(ctx, id)
	if err != nil {
		return op, concealed(r, err)
	}
	slug := ""
	if op.AssociationID != "" {
		a, err := d.Records.Association(ctx, op.AssociationID)
		if err != nil {
			return op, err
		}
		slug = a.Slug
	}
	return op, tenants.Authorize(r.Principal, act, slug)
}
