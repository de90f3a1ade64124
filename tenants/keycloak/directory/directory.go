// Package directory adapts a realm of Keycloak to the use cases: the groups of associations, who is in them, and the
// settings that signing in depends on. It knows no HTTP; package keycloak does.
//
// Start reading at [Directory].
package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/keycloak"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

// Directory is a realm in which we may make groups.
type Directory struct{ Client *keycloak.Client }

var (
	_ provision.Groups    = Directory{}
	_ provision.GroupList = Directory{}
	_ provision.Groups    = None{}
)

// The groups that rights come from.
const (
	associationsGroup = "/assos"
	managersGroup     = "/gestion"
	membersGroup      = "/membres"
	adminsGroup       = "/coop/admins"
)

// keycloakError maps Keycloak's errors to those of the domain.
func keycloakError(err error) error {
	if errors.Is(err, keycloak.ErrRefused) {
		return fmt.Errorf("%w: %w", tenants.ErrRefused, err)
	}
	return err
}

// EnsureAssociation implements provision.Groups.
func (g Directory) EnsureAssociation(ctx context.Context, slug, operation string) (string, error) {
	id, err := g.Client.EnsureAssociation(ctx, slug, operation)
	return id, keycloakError(err)
}

// AssociationExists implements provision.Groups.
func (g Directory) AssociationExists(ctx context.Context, slug string) (string, bool, error) {
	id, ok, err := g.Client.AssociationExists(ctx, slug)
	return id, ok, keycloakError(err)
}

// RemoveAssociation implements provision.Groups.
func (g Directory) RemoveAssociation(ctx context.Context, slug string) error {
	return keycloakError(g.Client.RemoveAssociation(ctx, slug))
}

// Members lists who belongs to an association; a manager who is a member too counts as a manager.
func (g Directory) Members(ctx context.Context, slug string) ([]tenants.Member, error) {
	byID := map[string]tenants.Member{}
	for _, in := range []struct {
		group string
		role  tenants.Role
	}{{membersGroup, tenants.RoleMember}, {managersGroup, tenants.RoleManager}} {
		users, err := g.people(ctx, associationsGroup+"/"+slug+in.group)
		if err != nil {
			return nil, err
		}
		for _, u := range users {
			byID[u.ID] = member(u, slug, in.role)
		}
	}
	out := make([]tenants.Member, 0, len(byID))
	for _, m := range byID {
		out = append(out, m)
	}
	return out, nil
}

// Admins lists the subjects of the co-op's admins.
func (g Directory) Admins(ctx context.Context) ([]string, error) {
	users, err := g.people(ctx, adminsGroup)
	subjects := make([]string, 0, len(users))
	for _, u := range users {
		subjects = append(subjects, u.ID)
	}
	return subjects, err
}

// people lists the enabled members of a group. A missing group has none, as at a sign-in, but only if the realm otherwise
// answers correctly.
func (g Directory) people(ctx context.Context, path string) ([]keycloak.User, error) {
	group, err := g.Client.GroupByPath(ctx, path)
	if errors.Is(err, keycloak.ErrNotFound) && g.Client.Ping(ctx) == nil {
		return nil, nil
	}
	if err != nil {
		return nil, keycloakError(err)
	}
	users, err := g.Client.Members(ctx, group.ID)
	enabled := users[:0]
	for _, u := range users {
		if u.Enabled {
			enabled = append(enabled, u)
		}
	}
	return enabled, keycloakError(err)
}

// member leaves out an address that is not verified, as a sign-in does.
func member(u keycloak.User, slug string, role tenants.Role) tenants.Member {
	email := ""
	if u.Verified {
		email = u.Email
	}
	return tenants.Member{
		Subject: u.ID, Username: u.Username, Name: displayName(u), Email: email,
		Memberships: map[string]tenants.Role{slug: role},
		SeenAt:      time.Now().UTC(),
	}
}

func displayName(u keycloak.User) string {
	if name := strings.TrimSpace(u.FirstName + " " + u.LastName); name != "" {
		return name
	}
	return u.Username
}

// List lists the groups directly below /assos: one request for each hundred of them.
func (g Directory) List(ctx context.Context) ([]provision.FoundGroup, error) {
	parent, err := g.Client.GroupByPath(ctx, associationsGroup)
	if errors.Is(err, keycloak.ErrNotFound) && g.Client.Ping(ctx) == nil {
		return nil, nil // no association was ever made
	}
	if err != nil {
		return nil, keycloakError(err)
	}
	children, err := g.Client.Children(ctx, parent.ID)
	found := make([]provision.FoundGroup, 0, len(children))
	for _, c := range children {
		found = append(found, provision.FoundGroup{Slug: c.Name, Instance: c.Instance, Operation: c.Operation})
	}
	return found, keycloakError(err)
}

// None stands for an external realm that gave us no account: no groups can be made there.
type None struct{}

// errNoAccount tells volunteers why an association could not be created.
var errNoAccount = errors.New("no account on the external realm is configured (identity.admin_client_id), so its groups cannot be made")

// EnsureAssociation implements provision.Groups.
func (None) EnsureAssociation(context.Context, string, string) (string, error) {
	return "", operations.Permanent(operations.CauseRefused, errNoAccount)
}

// AssociationExists implements provision.Groups.
func (None) AssociationExists(context.Context, string) (string, bool, error) {
	return "", false, operations.Permanent(operations.CauseRefused, errNoAccount)
}

// RemoveAssociation implements provision.Groups.
func (None) RemoveAssociation(context.Context, string) error { return nil }
