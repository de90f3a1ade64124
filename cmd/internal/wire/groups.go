package wire

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

// keycloakGroups adapts Keycloak's groups to the use cases.
type keycloakGroups struct{ client *keycloak.Client }

var (
	_ provision.Groups    = keycloakGroups{}
	_ provision.GroupList = groupList{}
)

func (w *Worker) groups() provision.Groups {
	if w.keycloak == nil {
		return noGroups{}
	}
	return keycloakGroups{w.keycloak}
}

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

func (g keycloakGroups) EnsureAssociation(ctx context.Context, slug, operation string) (string, error) {
	id, err := g.client.EnsureAssociation(ctx, slug, operation)
	return id, keycloakError(err)
}

func (g keycloakGroups) AssociationExists(ctx context.Context, slug string) (string, bool, error) {
	id, ok, err := g.client.AssociationExists(ctx, slug)
	return id, ok, keycloakError(err)
}

func (g keycloakGroups) RemoveAssociation(ctx context.Context, slug string) error {
	return keycloakError(g.client.RemoveAssociation(ctx, slug))
}

// Members lists who belongs to an association; a manager who is a member too counts as a manager.
func (g keycloakGroups) Members(ctx context.Context, slug string) ([]tenants.Member, error) {
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
func (g keycloakGroups) Admins(ctx context.Context) ([]string, error) {
	users, err := g.people(ctx, adminsGroup)
	subjects := make([]string, 0, len(users))
	for _, u := range users {
		subjects = append(subjects, u.ID)
	}
	return subjects, err
}

// people lists the enabled members of a group. A missing group has none, as at a sign-in, but only if the realm otherwise
// answers correctly.
func (g keycloakGroups) people(ctx context.Context, path string) ([]keycloak.User, error) {
	group, err := g.client.GroupByPath(ctx, path)
	if errors.Is(err, keycloak.ErrNotFound) && g.client.Ping(ctx) == nil {
		return nil, nil
	}
	if err != nil {
		return nil, keycloakError(err)
	}
	users, err := g.client.Members(ctx, group.ID)
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

// groupList lists the groups directly below /assos: one request for each hundred of them.
type groupList struct{ client *keycloak.Client }

func (g groupList) List(ctx context.Context) ([]provision.FoundGroup, error) {
	parent, err := g.client.GroupByPath(ctx, associationsGroup)
	if errors.Is(err, keycloak.ErrNotFound) && g.client.Ping(ctx) == nil {
		return nil, nil // no association was ever made
	}
	if err != nil {
		return nil, keycloakError(err)
	}
	children, err := g.client.Children(ctx, parent.ID)
	found := make([]provision.FoundGroup, 0, len(children))
	for _, c := range children {
		found = append(found, provision.FoundGroup{Slug: c.Name, Instance: c.Instance, Operation: c.Operation})
	}
	return found, keycloakError(err)
}

// noGroups is used when we have no account on an external realm: no groups can be made there.
type noGroups struct{}

// errNoAccount tells volunteers why an association could not be created.
var errNoAccount = errors.New("no account on the external realm is configured (identity.admin_client_id), so its groups cannot be made")

func (noGroups) EnsureAssociation(context.Context, string, string) (string, error) {
	return "", operations.Permanent(operations.CauseRefused, errNoAccount)
}

func (noGroups) AssociationExists(context.Context, string) (string, bool, error) {
	return "", false, operations.Permanent(operations.CauseRefused, errNoAccount)
}

func (noGroups) RemoveAssociation(context.Context, string) error { return nil }
