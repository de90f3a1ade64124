// Package egressgrant has the use cases for egress beyond the template's and the co-op's lists: a manager of the
// association requests a name, a volunteer grants or refuses it, and can revoke it. It only writes records; the writer of
// the gateway's lists publishes grants.
//
// Start reading at Requests.
package egressgrant

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/provision"
)

// Records stores requests and decisions.
type Records interface {
	// Transact runs fn in one transaction, which the context it hands on carries.
	Transact(ctx context.Context, fn func(ctx context.Context) error) error
	Site(ctx context.Context, id string) (tenants.Site, error)
	Association(ctx context.Context, id string) (tenants.Association, error)
	Grant(ctx context.Context, id string) (tenants.EgressGrant, error)
	SiteGrants(ctx context.Context, siteID string) ([]tenants.EgressGrant, error)
	// CreateGrant is ErrConflict when the same is asked for or granted.
	CreateGrant(ctx context.Context, a tenants.EgressGrant) error
	// DecideGrant writes a's state, decision and answer if its state is still from; ErrConflict otherwise.
	DecideGrant(ctx context.Context, a tenants.EgressGrant, from tenants.GrantState) error
	Audit(ctx context.Context, e tenants.AuditEntry) error
}

// Requests accepts requests and decisions, and authorises each.
type Requests struct {
	Records   Records
	Reachable tenants.NamePolicy
	Now       func() time.Time
	Nudge     func() // tells the worker that lists have changed; may be nil
}

// Request is the input of Ask.
type Request struct {
	Name   string // as typed
	Ports  []int
	Reason string
}

// Bounds of one site's requests; a list has room for more than can be granted.
const (
	maxAsked   = 20
	maxGranted = 100
)

// Ask stores a request. Faults: name missing, malformed, address, local, reserved, too_wide, granted or quota; ports
// missing, malformed, mail, inside or too_many; reason missing or too_long. A repeated request returns the first one.
func (d *Requests) Ask(ctx context.Context, r provision.Request, siteID string, wish Request) (tenants.EgressGrant, error) {
	s, err := d.site(ctx, r, siteID, tenants.ActAccessAsk)
	if err != nil {
		return tenants.EgressGrant{}, err
	}
	a, faults := d.newGrant(r, s, wish)
	if len(faults) > 0 {
		return tenants.EgressGrant{}, faults
	}
	var same *tenants.EgressGrant
	err = d.Records.Transact(ctx, func(ctx context.Context) error {
		same = nil
		before, err := d.Records.SiteGrants(ctx, s.ID)
		if err != nil {
			return err
		}
		if same, err = existing(before, a); same != nil || err != nil {
			return err
		}
		if err := d.Records.CreateGrant(ctx, a); err != nil {
			return err
		}
		return d.Records.Audit(ctx, d.auditEntry(r, tenants.ActAccessAsk, s, a))
	})
	if same != nil {
		return *same, nil
	}
	return a, err
}

func (d *Requests) newGrant(r provision.Request, s tenants.Site, wish Request) (tenants.EgressGrant, tenants.Faults) {
	a := tenants.EgressGrant{
		ID: tenants.NewGrantID(), SiteID: s.ID, State: tenants.GrantAsked, AskedBy: r.Principal.Name, AskedAt: d.Now().UTC(),
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

// existing returns the same request if the site has it, or an error if the site has too many.
func existing(before []tenants.EgressGrant, a tenants.EgressGrant) (*tenants.EgressGrant, error) {
	asked := 0
	for _, b := range before {
		same := b.Name == a.Name && slices.Equal(b.Ports, a.Ports)
		switch {
		case same && b.State == tenants.GrantGranted:
			return nil, tenants.Faults{{Field: "name", Code: "granted"}}
		case same && b.State == tenants.GrantAsked:
			return &b, nil
		case b.State == tenants.GrantAsked:
			asked++
		}
	}
	if asked >= maxAsked {
		return nil, tenants.Faults{{Field: "name", Code: "quota"}}
	}
	return nil, nil
}

// Grant grants a request.
func (d *Requests) Grant(ctx context.Context, r provision.Request, siteID, id, answer string) (tenants.EgressGrant, error) {
	return d.decide(ctx, r, siteID, id, answer, tenants.GrantAsked, tenants.GrantGranted)
}

// Refuse refuses a request.
func (d *Requests) Refuse(ctx context.Context, r provision.Request, siteID, id, answer string) (tenants.EgressGrant, error) {
	return d.decide(ctx, r, siteID, id, answer, tenants.GrantAsked, tenants.GrantRefused)
}

// Revoke revokes a grant.
func (d *Requests) Revoke(ctx context.Context, r provision.Request, siteID, id, answer string) (tenants.EgressGrant, error) {
	return d.decide(ctx, r, siteID, id, answer, tenants.GrantGranted, tenants.GrantRevoked)
}

// actions are the audit log's names of the decisions.
var actions = map[tenants.GrantState]tenants.Action{
	tenants.GrantGranted: tenants.ActAccessGrant, tenants.GrantRefused: tenants.ActAccessRefuse, tenants.GrantRevoked: tenants.ActAccessRevoke,
}

func (d *Requests) decide(ctx context.Context, r provision.Request, siteID, id, answer string, from, to tenants.GrantState) (tenants.EgressGrant, error) {
	s, err := d.site(ctx, r, siteID, actions[to])
	if err != nil {
		return tenants.EgressGrant{}, err
	}
	if answer, err = normalizeAnswer(answer); err != nil {
		return tenants.EgressGrant{}, err
	}
	var a tenants.EgressGrant
	err = d.Records.Transact(ctx, func(ctx context.Context) error {
		if a, err = d.Records.Grant(ctx, id); err != nil {
			return err
		}
		if a.SiteID != s.ID {
			return fmt.Errorf("access %s is another site's: %w", id, tenants.ErrNotFound)
		}
		if to == tenants.GrantGranted {
			if err := d.checkRoom(ctx, s.ID); err != nil {
				return err
			}
		}
		now := d.Now().UTC()
		a.State, a.DecidedBy, a.DecidedAt, a.Answer = to, r.Principal.Name, &now, answer
		if err := d.Records.DecideGrant(ctx, a, from); err != nil {
			return err
		}
		return d.Records.Audit(ctx, d.auditEntry(r, actions[to], s, a))
	})
	if err == nil && d.Nudge != nil && to != tenants.GrantRefused {
		d.Nudge()
	}
	return a, err
}

func (d *Requests) checkRoom(ctx context.Context, siteID string) error {
	all, err := d.Records.SiteGrants(ctx, siteID)
	if err != nil {
		return err
	}
	granted := 0
	for _, a := range all {
		if a.State == tenants.GrantGranted {
			granted++
		}
	}
	if granted >= maxGranted {
		return fmt.Errorf("site %s has %d names already: %w", siteID, granted, tenants.ErrConflict)
	}
	return nil
}

// normalizeAnswer bounds an answer, which may be empty.
func normalizeAnswer(answer string) (string, error) {
	text, fault := tenants.NormalizeReason(answer)
	if fault != nil && fault.Code != "missing" {
		return "", tenants.Faults{{Field: "answer", Code: fault.Code}}
	}
	return text, nil
}

// site finds a living site and authorises the asker for it.
func (d *Requests) site(ctx context.Context, r provision.Request, id string, act tenants.Action) (tenants.Site, error) {
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

func (d *Requests) auditEntry(r provision.Request, act tenants.Action, s tenants.Site, a tenants.EgressGrant) tenants.AuditEntry {
	return tenants.AuditEntry{
		At: d.Now().UTC(), ActorKind: r.Principal.Kind, ActorID: r.Principal.ID, ActorName: r.Principal.Name, Address: r.Address,
		Action: string(act), AssociationID: s.AssociationID, SiteID: s.ID, Detail: a.ID + " " + a.Target(),
	}
}
