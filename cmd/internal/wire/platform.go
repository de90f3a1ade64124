package wire

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"chatiere/cmd/internal/config"
	"chatiere/reverseproxy"
	"chatiere/tenants"
	"chatiere/tenants/keycloak"
	"chatiere/tenants/provision"
)

// platformRoutes are the routes that exist whatever the records say.
func platformRoutes(c config.Config) []reverseproxy.Route {
	p := c.Paths()
	routes := []reverseproxy.Route{{
		Host: c.Panel.Host, Site: "panel", State: reverseproxy.StateServing, Upstream: "unix:" + p.PanelSocket(), Lang: c.Language,
	}}
	if !c.Identity.External {
		routes = append(routes, reverseproxy.Route{
			Host: c.IdentityHost(), Site: "keycloak", State: reverseproxy.StateServing, Upstream: "unix:" + p.KeycloakSocket(),
			Lang: c.Language,
			// Metrics and health are for the server's own people, over the server's own sockets.
			Refuse: []string{`^/(?:metrics|health)(?:/|$)`},
		})
	}
	return routes
}

// keycloakClient speaks to the realm as the worker's service account. Our own Keycloak is reached by its own socket, so
// that associations can be made while the proxy is down.
func keycloakClient(c config.Config) (*keycloak.Client, error) {
	client := &http.Client{Timeout: clientTime}
	if !c.Identity.External {
		client.Transport = keycloak.Socket(c.Paths().KeycloakSocket())
	}
	secret, err := c.Secret(config.SecretOIDCWorker).Reveal()
	if err != nil {
		return nil, err
	}
	return keycloak.New(keycloak.Options{
		Issuer: c.Identity.Issuer, ClientID: c.Identity.AdminClientID, Secret: keycloak.Secret(secret), Instance: c.Instance,
		HTTPClient: client,
	})
}

// Keycloak speaks to the realm as the worker does, for tests that look at what is there.
func Keycloak(c config.Config) (*keycloak.Client, error) { return keycloakClient(c) }

// groups adapts Keycloak's groups to the use cases.
type groups struct{ client *keycloak.Client }

var _ provision.Groups = groups{}

const (
	managersGroup = "gestion"
	membersGroup  = "membres"
)

func groupPath(slug string, sub ...string) string {
	path := "/assos/" + slug
	for _, s := range sub {
		path += "/" + s
	}
	return path
}

func (g groups) EnsureAssociation(ctx context.Context, slug, operation string) (string, error) {
	group, err := g.client.EnsureGroupPath(ctx, groupPath(slug), operation)
	if err != nil {
		return "", fmt.Errorf("making the groups of %s: %w", slug, err)
	}
	for _, sub := range []string{managersGroup, membersGroup} {
		if _, err := g.client.EnsureGroupPath(ctx, groupPath(slug, sub), operation); err != nil {
			return "", fmt.Errorf("making the groups of %s: %w", slug, err)
		}
	}
	return group.ID, nil
}

func (g groups) AssociationExists(ctx context.Context, slug string) (string, bool, error) {
	id := ""
	for _, path := range []string{groupPath(slug), groupPath(slug, managersGroup), groupPath(slug, membersGroup)} {
		group, err := g.client.GroupByPath(ctx, path)
		if errors.Is(err, keycloak.ErrNotFound) {
			return "", false, nil
		}
		if err != nil {
			return "", false, err
		}
		if id == "" {
			id = group.ID
		}
	}
	return id, true, nil
}

func (g groups) RemoveAssociation(ctx context.Context, slug string) error {
	return g.client.DeleteGroup(ctx, groupPath(slug))
}

// Members lists who belongs to an association; a manager who is a member too counts as a manager.
func (g groups) Members(ctx context.Context, slug string) ([]tenants.Member, error) {
	byID := map[string]tenants.Member{}
	for _, role := range []struct {
		group string
		role  tenants.Role
	}{{membersGroup, tenants.RoleMember}, {managersGroup, tenants.RoleManager}} {
		group, err := g.client.GroupByPath(ctx, groupPath(slug, role.group))
		if err != nil {
			return nil, err
		}
		users, err := g.client.Members(ctx, group.ID)
		if err != nil {
			return nil, err
		}
		for _, u := range users {
			byID[u.ID] = member(u, slug, role.role)
		}
	}
	out := make([]tenants.Member, 0, len(byID))
	for _, m := range byID {
		out = append(out, m)
	}
	return out, nil
}

func member(u keycloak.User, slug string, role tenants.Role) tenants.Member {
	return tenants.Member{
		Subject: u.ID, Username: u.Username, Name: displayName(u), Email: u.Email, Memberships: map[string]tenants.Role{slug: role},
	}
}

func displayName(u keycloak.User) string {
	if name := strings.TrimSpace(u.FirstName + " " + u.LastName); name != "" {
		return name
	}
	return u.Username
}
