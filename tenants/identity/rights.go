package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatiere/tenants"
)

// RightsFrom is the source of a person's rights. It has to be something that nobody can forge by a name: see
// docs/adr/0022-rights-from-what-no-name-forges.md.
type RightsFrom string

// The sources of rights. The zero value is none: people sign in and may do nothing.
const (
	RightsNone RightsFrom = ""
	// RightsGroups takes the paths of groups in the token, of an issuer that escapes slashes in names: our own.
	RightsGroups RightsFrom = "groups"
	// RightsDirectory takes the copy that the worker makes of the realm's groups, which it knows by their ids.
	RightsDirectory RightsFrom = "directory"
	// RightsRoles takes the roles of the panel's client in the token.
	RightsRoles RightsFrom = "roles"
)

// Copy is the worker's copy of the realm's people.
type Copy interface {
	// Person answers tenants.ErrNotFound for a subject never seen.
	Person(ctx context.Context, subject string) (tenants.Member, error)
	// RightsAge returns how long ago the worker last read everybody's rights from the realm, all of them and without a
	// fault; false when it never did.
	RightsAge(ctx context.Context) (age time.Duration, ever bool, err error)
}

// Rights finds people's rights; Provider.Rights returns it.
type Rights struct {
	From     RightsFrom
	clientID string
	copied   Copy
	maxAge   time.Duration
}

// Member returns the person that the claims name, with their current rights.
func (r Rights) Member(ctx context.Context, c Claims, now time.Time) (tenants.Member, error) {
	m := c.member(now)
	switch r.From {
	case RightsGroups:
		m.CoopAdmin, m.Memberships = groupRights(c.Groups)
	case RightsRoles:
		m.CoopAdmin, m.Memberships = roleRights(c.Access[r.clientID].Roles)
	case RightsDirectory:
		if err := r.CheckAge(ctx); err != nil {
			return m, err
		}
		known, err := r.copied.Person(ctx, m.Subject)
		if errors.Is(err, tenants.ErrNotFound) {
			return m, nil
		}
		if err != nil {
			return m, fmt.Errorf("reading the person's rights: %w", err)
		}
		m.CoopAdmin, m.Memberships = known.CoopAdmin, known.Memberships
	}
	return m, nil
}

// CheckAge returns tenants.ErrUnavailable when rights come from the worker's copy and it is too old to use.
func (r Rights) CheckAge(ctx context.Context) error {
	if r.From != RightsDirectory {
		return nil
	}
	age, ever, err := r.copied.RightsAge(ctx)
	if err != nil {
		return fmt.Errorf("reading the age of rights: %w", err)
	}
	if !ever || age > r.maxAge {
		return fmt.Errorf("the worker last read everybody's rights %s ago: %w", age, tenants.ErrUnavailable)
	}
	return nil
}
