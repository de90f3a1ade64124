package auth

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

// member returns the person that a grant names, with their current rights.
func (s *Sessions) member(ctx context.Context, c claims, now time.Time) (tenants.Member, error) {
	m := c.member(now)
	switch s.Provider.id.Rights {
	case RightsGroups:
		m.CoopAdmin, m.Memberships = groupRights(c.Groups)
	case RightsRoles:
		m.CoopAdmin, m.Memberships = roleRights(c.Access[s.Provider.id.ClientID].Roles)
	case RightsDirectory:
		if err := s.checkCopyAge(ctx); err != nil {
			return m, err
		}
		known, err := s.Members.Person(ctx, m.Subject)
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

// checkCopyAge returns tenants.ErrUnavailable when the worker's copy of everybody's rights is too old to use.
func (s *Sessions) checkCopyAge(ctx context.Context) error {
	age, ever, err := s.Members.RightsAge(ctx)
	if err != nil {
		return fmt.Errorf("reading the age of rights: %w", err)
	}
	if !ever || age > s.Limits.maxCopyAge() {
		return fmt.Errorf("the worker last read everybody's rights %s ago: %w", age, tenants.ErrUnavailable)
	}
	return nil
}

// saveMember updates the local copy of the member. An error is only logged: it must not block sign-in. Rights that were
// read from that copy are not written back, or a right that the worker has just revoked would return.
func (s *Sessions) saveMember(ctx context.Context, m tenants.Member) {
	if s.Provider.id.Rights == RightsDirectory {
		if _, err := s.Members.Person(ctx, m.Subject); err == nil {
			return
		}
		m.CoopAdmin, m.Memberships = false, nil
	}
	if err := s.Members.SaveMember(ctx, m); err != nil {
		s.Log.ErrorContext(ctx, "member not saved", "subject", m.Subject, "error", err)
	}
}
