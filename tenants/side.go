package tenants

import (
	"errors"
	"fmt"
)

// Side says on whose behalf something was asked for.
type Side string

// The sides. What carries neither was recorded before sides were, and counts as the co-op's.
const (
	SideCoop        Side = "coop" // its volunteers, the command line on the server, the worker itself
	SideAssociation Side = "association"
)

// Side returns the side that p acts for. A volunteer without the second factor has a volunteer's rights in nothing, and so
// acts for the association.
func (p Principal) Side() Side {
	if p.CoopAdmin && p.SecondFact {
		return SideCoop
	}
	return SideAssociation
}

// AuthorizeReversal answers whether p may take back, repeat or reverse by a what by asked for: as Authorize does, and
// moreover ErrCoopOnly (for volunteers without the second factor ErrStepUp) when that was the co-op and p does not act
// for it. Whatever undoes an act goes through here; the right to do something and the right to undo it are one.
func AuthorizeReversal(p Principal, a Action, slug string, by Side) error {
	err := Authorize(p, a, slug)
	switch {
	case errors.Is(err, ErrForbidden) && by != SideAssociation && p.RoleIn(slug) == RoleManager && p.holds(ScopeWrite):
		return fmt.Errorf("authorizing %q: %w", a, ErrCoopOnly)
	case err != nil:
		return err
	case by == SideAssociation || p.Side() == SideCoop:
		return nil
	case p.CoopAdmin:
		return ErrStepUp
	}
	return fmt.Errorf("authorizing %q: %w", a, ErrCoopOnly)
}
