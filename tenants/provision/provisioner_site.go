package provision

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// change is a requested change of an existing site.
type change struct {
	act  tenants.Action
	kind string
	from []tenants.SiteState // states it is possible in
	spec Spec                // what it says beside the site
	// check is called in the transaction; nil: nothing else has to be true.
	check func(ctx context.Context) error
}

var (
	suspend     = change{act: tenants.ActSiteSuspend, kind: KindSiteSuspend, from: []tenants.SiteState{tenants.StateReady}}
	resume      = change{act: tenants.ActSiteResume, kind: KindSiteResume, from: []tenants.SiteState{tenants.StateSuspended}}
	remove      = change{act: tenants.ActSiteDelete, kind: KindSiteDelete, from: []tenants.SiteState{tenants.StateReady, tenants.StateSuspended}}
	restore     = change{act: tenants.ActSiteRestore, kind: KindSiteRestore, from: []tenants.SiteState{tenants.StateBinned}}
	update      = change{act: tenants.ActSiteUpdate, kind: KindSiteUpdate, from: []tenants.SiteState{tenants.StateReady}}
	purge       = change{act: tenants.ActSitePurge, kind: KindSitePurge, from: []tenants.SiteState{tenants.StateBinned}}
	backUp      = change{act: tenants.ActSiteBackup, kind: KindSiteBackup, from: []tenants.SiteState{tenants.StateReady, tenants.StateSuspended}}
	recoverSite = change{act: tenants.ActSiteRecover, kind: KindSiteRecover, from: []tenants.SiteState{tenants.StateReady}}
)

// SuspendSite closes a site to visitors and stops it; its data stays.
func (d *Provisioner) SuspendSite(ctx context.Context, r Request, siteID string) (operations.Operation, error) {
	return d.change(ctx, r, siteID, suspend)
}

// ResumeSite opens a suspended site again.
func (d *Provisioner) ResumeSite(ctx context.Context, r Request, siteID string) (operations.Operation, error) {
	return d.change(ctx, r, siteID, resume)
}

// DeleteSite puts a site into the bin, from which RestoreSite brings it back.
func (d *Provisioner) DeleteSite(ctx context.Context, r Request, siteID string) (operations.Operation, error) {
	return d.change(ctx, r, siteID, remove)
}

// RestoreSite brings a site back from the bin.
func (d *Provisioner) RestoreSite(ctx context.Context, r Request, siteID string) (operations.Operation, error) {
	return d.change(ctx, r, siteID, restore)
}

// UpdateSite makes a site anew from its template as it is now, in another mode unless that is ""; one that is so already is
// left as it is. Fault: mode unknown.
func (d *Provisioner) UpdateSite(ctx context.Context, r Request, siteID, mode string) (operations.Operation, error) {
	c := update
	c.spec.Mode = mode
	return d.change(ctx, r, siteID, c)
}

// PurgeSite destroys a binned site and its data for good.
func (d *Provisioner) PurgeSite(ctx context.Context, r Request, siteID string) (operations.Operation, error) {
	return d.change(ctx, r, siteID, purge)
}

// change returns ErrNotFound for a site of a foreign association, ErrConflict when the site's state forbids the change,
// operations.ErrBusy while another operation works on it.
func (d *Provisioner) change(ctx context.Context, r Request, siteID string, c change) (operations.Operation, error) {
	s, a, err := d.siteWithAssociation(ctx, siteID)
	if err != nil {
		return operations.Operation{}, hideNotFound(r, err)
	}
	if err := AuthorizeChange(r.Principal, c.act, a.Slug, s); err != nil {
		return operations.Operation{}, err
	}
	if err := d.checkMode(s.Template, c.spec.Mode); err != nil {
		return operations.Operation{}, err
	}
	var op operations.Operation
	err = d.Records.Transact(ctx, func(ctx context.Context) error {
		w := c.spec
		w.AssociationID, w.SiteID, w.Was, w.BinnedAt = a.ID, s.ID, s.State, s.BinnedAt
		var err error
		if op, err = d.insert(ctx, r, c.kind, c.act, w, siteSubject(s.ID)); err != nil {
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
		if err := AuthorizeChange(r.Principal, c.act, a.Slug, now); err != nil {
			return err
		}
		if c.check != nil {
			if err := c.check(ctx); err != nil {
				return err
			}
		}
		return d.completeBinRecord(ctx, now)
	})
	return d.nudged(op, err)
}

// checkMode returns a fault for a mode that a template has not; "" is one that it has.
func (d *Provisioner) checkMode(template, mode string) error {
	if mode == "" {
		return nil
	}
	modes, err := d.Catalogue.Modes(template)
	if err == nil && !slices.Contains(modes, mode) {
		return tenants.Faults{{Field: "mode", Code: "unknown"}}
	}
	return err
}

// completeBinRecord completes the record of a site that was put into the bin before the former state was recorded, from its
// last deletion. Without one the site comes back suspended.
func (d *Provisioner) completeBinRecord(ctx context.Context, s tenants.Site) error {
	if s.State != tenants.StateBinned || s.BinnedFrom != "" {
		return nil
	}
	s.BinnedFrom = tenants.StateSuspended
	history, err := d.Queue.Operations(ctx, operations.Filter{SiteID: s.ID})
	if err != nil {
		return err
	}
	for _, op := range history {
		var w Spec
		if op.Kind == KindSiteDelete && op.State == operations.Done && json.Unmarshal(op.Spec, &w) == nil && w.Was != "" {
			s.BinnedFrom = w.Was
			break
		}
	}
	return d.Records.UpdateSite(ctx, s)
}

func (d *Provisioner) siteWithAssociation(ctx context.Context, siteID string) (tenants.Site, tenants.Association, error) {
	s, err := d.Records.Site(ctx, siteID)
	if err != nil {
		return s, tenants.Association{}, err
	}
	a, err := d.Records.Association(ctx, s.AssociationID)
	return s, a, err
}

// hideNotFound replaces "not found" by "sign in" for anonymous requests.
func hideNotFound(r Request, err error) error {
	if r.Principal.Kind == tenants.KindAnonymous || r.Principal.Kind == "" {
		return tenants.ErrUnauthenticated
	}
	return err
}
