// Package access is how a site comes to reach a name beyond its template's list and the co-op's: somebody in charge of
// its association asks, a volunteer grants or refuses, and can take it back. It writes records alone; what is granted
// is published by whoever writes the gateway's lists.
//
// Start reading at Desk.
package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/provision"
)

// Records keeps wishes and decisions.
type Records interface {
	// Transact runs fn in one transaction, which the context it hands on carries.
	Transact(ctx context.Context, fn func(ctx context.Context) error) error
	Site(ctx context.Context, id string) (tenants.Site, error)
	Association(ctx context.Context, id string) (tenants.Association, error)
	Access(ctx context.Context, id string) (tenants.Access, error)
	SiteAccess(ctx context.Context, siteID string) ([]tenants.Access, error)
	// CreateAccess is ErrConflict when the same is asked for or granted.
	CreateAccess(ctx context.Context, a tenants.Access) error
	// DecideAccess writes a's state, decision and answer if its state is still from; ErrConflict otherwise.
	DecideAccess(ctx context.Context, a tenants.Access, from tenants.AccessState) error
	Audit(ctx context.Context, e tenants.AuditEntry) error
}

// Desk takes wishes and decisions in. It authorises each.
type Desk struct {
	Records   Records
	Reachable tenants.Reachable
	Now       func() time.Time
	Nudge     func() // tells the worker that lists have changed; may be nil
}

// Wish is what somebody asks for.
type Wish struct {
	Name   string // as typed
	Ports  []int
	Reason string
}

// Bounds of one site's wishes; a list has room for more than is granted.
const (
	maxAsked   = 20
	maxGranted = 100
)

// Ask writes a wish. Faults: name missing, malformed, address, local, reserved, too_wide, granted or quota; ports
// missing, malformed, mail, inside or too_many; reason missing or too_long. The same asked for again is the first wish.
func (d *Desk) Ask(ctx context.Context, r provision.Request, siteID string, wish Wish) (tenants.Access, error) {
	s, err := d.site(ctx, r, siteID, tenants.ActAccessAsk)
	if err != nil {
		return tenants.Access{}, err
	}
	a, faults := d.accessOf(r, s, wish)
	if len(faults) > 0 {
		return tenants.Access{}, faults
	}
	var same *tenants.Access
	err = d.Records.Transact(ctx, func(ctx context.Context) error {
		same = nil
		before, err := d.Records.SiteAccess(ctx, s.ID)
		if err != nil {
			return err
		}
		if same, err = known(before, a); same != nil || err != nil {
			return err
		}
		if err := d.Records.CreateAccess(ctx, a); err != nil {
			return err
		}
		return d.Records.Audit(ctx, d.entry(r, tenants.ActAccessAsk, s, a))
	})
	if same != nil {
		return *same, nil
	}
	return a, err
}

func (d *Desk) accessOf(r provision.Request, s tenants.Site, wish Wish) (tenants.Access, tenants.Faults) {
	a := tenants.Access{
		ID: tenants.NewAccessID(), SiteID: s.ID, State: tenants.AccessAsked, AskedBy: r.Principal.Name, AskedAt: d.Now().UTC(),
	}
	var faults tenants.Faults
	note := func(f *tenants.Fault) {
		if f != nil {
			faults = append(faults, *f)
		}
	}
	var fault *tenants.Fault
	a.Name, fault = d.Reachable.Normalize(wish.Name)
	note(fault)
	a.Ports, fault = tenants.NormalizePorts(wish.Ports)
	note(fault)
	a.Reason, fault = tenants.NormalizeReason(wish.Reason)
	note(fault)
	return a, faults
}

// known finds the same wish among those of the site, or says why there can be no more.
func known(before []tenants.Access, a tenants.Access) (*tenants.Access, error) {
	asked := 0
	for _, b := range before {
		same := b.Name == a.Name && slices.Equal(b.Ports, a.Ports)
		switch {
		case same && b.State == tenants.AccessGranted:
			return nil, tenants.Faults{{Field: "name", Code: "granted"}}
		case same && b.State == tenants.AccessAsked:
			return &b, nil
		case b.State == tenants.AccessAsked:
			asked++
		}
	}
	if asked >= maxAsked {
		return nil, tenants.Faults{{Field: "name", Code: "quota"}}
	}
	return nil, nil
}

// Grant opens what was asked for.
func (d *Desk) Grant(ctx context.Context, r provision.Request, siteID, id, answer string) (tenants.Access, error) {
	return d.decide(ctx, r, siteID, id, answer, tenants.AccessAsked, tenants.AccessGranted)
}

// Refuse leaves closed what was asked for.
func (d *Desk) Refuse(ctx context.Context, r provision.Request, siteID, id, answer string) (tenants.Access, error) {
	return d.decide(ctx, r, siteID, id, answer, tenants.AccessAsked, tenants.AccessRefused)
}

// Revoke closes what was granted.
func (d *Desk) Revoke(ctx context.Context, r provision.Request, siteID, id, answer string) (tenants.Access, error) {
	return d.decide(ctx, r, siteID, id, answer, tenants.AccessGranted, tenants.AccessRevoked)
}

// actions are what the audit trail calls the decisions.
var actions = map[tenants.AccessState]tenants.Action{
	tenants.AccessGranted: tenants.ActAccessGrant, tenants.AccessRefused: tenants.ActAccessRefuse, tenants.AccessRevoked: tenants.ActAccessRevoke,
}

func (d *Desk) decide(ctx context.Context, r provision.Request, siteID, id, answer string, from, to tenants.AccessState) (tenants.Access, error) {
	s, err := d.site(ctx, r, siteID, actions[to])
	if err != nil {
		return tenants.Access{}, err
	}
	if answer, err = tidy(answer); err != nil {
		return tenants.Access{}, err
	}
	var a tenants.Access
	err = d.Records.Transact(ctx, func(ctx context.Context) error {
		if a, err = d.Records.Access(ctx, id); err != nil {
			return err
		}
		if a.SiteID != s.ID {
			return fmt.Errorf("access %s is another site's: %w", id, tenants.ErrNotFound)
		}
		if to == tenants.AccessGranted {
			if err := d.room(ctx, s.ID); err != nil {
				return err
			}
		}
		now := d.Now().UTC()
		a.State, a.DecidedBy, a.DecidedAt, a.Answer = to, r.Principal.Name, &now, answer
		if err := d.Records.DecideAccess(ctx, a, from); err != nil {
			return err
		}
		return d.Records.Audit(ctx, d.entry(r, actions[to], s, a))
	})
	if err == nil && d.Nudge != nil && to != tenants.AccessRefused {
		d.Nudge()
	}
	return a, err
}

func (d *Desk) room(ctx context.Context, siteID string) error {
	all, err := d.Records.SiteAccess(ctx, siteID)
	if err != nil {
		return err
	}
	granted := 0
	for _, a := range all {
		if a.State == tenants.AccessGranted {
			granted++
		}
	}
	if granted >= maxGranted {
		return fmt.Errorf("site %s has %d names already: %w", siteID, granted, tenants.ErrConflict)
	}
	return nil
}

// tidy bounds an answer, which may be empty.
func tidy(answer string) (string, error) {
	text, fault := tenants.NormalizeReason(answer)
	if fault != nil && fault.Code != "missing" {
		return "", tenants.Faults{{Field: "answer", Code: fault.Code}}
	}
	return text, nil
}

// site finds a living site and authorises the asker for it.
func (d *Desk) site(ctx context.Context, r provision.Request, id string, act tenants.Action) (tenants.Site, error) {
	s, err := d.Records.Site(ctx, id)
	if errors.Is(err, tenants.ErrNotFound) && r.Principal.Kind == tenants.KindAnonymous {
		return s, tenants.ErrUnauthenticated
	}
	if err != nil {
		return s, err
	}
	a, err := d.Records.Association(ctx, s.AssociationID)
	if err != nil {
		return s, err
	}
	if err := tenants.Authorize(r.Principal, act, a.Slug); err != nil {
		return s, err
	}
	if !s.State.Live() {
		return s, tenants.ErrNotFound
	}
	return s, nil
}

func (d *Desk) entry(r provision.Request, act tenants.Action, s tenants.Site, a tenants.Access) tenants.AuditEntry {
	return tenants.AuditEntry{
		At: d.Now().UTC(), ActorKind: r.Principal.Kind, ActorID: r.Principal.ID, ActorName: r.Principal.Name, Address: r.Address,
		Action: string(act), AssociationID: s.AssociationID, SiteID: s.ID, Detail: a.ID + " " + a.Target(),
	}
}
