package keycloak

import (
	"context"
	"fmt"
)

// groupsMapper puts the full paths of a person's groups into the id token. Bare names would be ambiguous: every
// association has its "membres".
func groupsMapper() representation {
	return representation{
		"name": "groups", "protocol": "openid-connect", "protocolMapper": "oidc-group-membership-mapper",
		"config": representation{
			"claim.name": "groups", "full.path": "true", "multivalued": "true", "id.token.claim": "true",
			"access.token.claim": "false", "userinfo.token.claim": "true", "introspection.token.claim": "true",
		},
	}
}

// scopes lists the realm's client scopes: id by name.
func (c *Client) scopes(ctx context.Context, path string) (map[string]string, error) {
	var all []representation
	if err := c.get(ctx, path, &all); err != nil {
		return nil, err
	}
	byName := make(map[string]string, len(all))
	for _, scope := range all {
		byName[scope.text("name")] = scope.text("id")
	}
	return byName, nil
}

// ensureScope makes or corrects the client scope that carries the groups.
func (c *Client) ensureScope(ctx context.Context, _ Realm, report *Report) error {
	known, err := c.scopes(ctx, "/client-scopes")
	if err != nil {
		return err
	}
	id := known[groupsScope]
	if id == "" {
		id, err = c.create(ctx, "/client-scopes", representation{
			"name": groupsScope, "protocol": "openid-connect",
			"description": "Full paths of a person's groups, from which the panel derives rights",
			"attributes":  representation{"include.in.token.scope": "false", "display.on.consent.screen": "false"},
		})
		if err != nil {
			return err
		}
		report.changed("client scope %s made", groupsScope)
	}
	return c.ensureMapper(ctx, "/client-scopes/"+id+"/protocol-mappers/models", report)
}

func (c *Client) ensureMapper(ctx context.Context, path string, report *Report) error {
	wanted := groupsMapper()
	var mappers []representation
	if err := c.get(ctx, path, &mappers); err != nil {
		return err
	}
	for _, mapper := range mappers {
		if mapper.text("name") != wanted["name"] {
			continue
		}
		if different := mapper.merge(wanted); len(different) > 0 {
			report.changed("mapper of %s: %v", groupsScope, different)
			return c.put(ctx, path+"/"+mapper.text("id"), mapper)
		}
		return nil
	}
	report.changed("mapper of %s made", groupsScope)
	_, err := c.create(ctx, path, wanted)
	return err
}

// ensureScopes gives a client the named default scopes; others it may have are left.
func (c *Client) ensureScopes(ctx context.Context, name string, report *Report, names ...string) error {
	client, err := c.clientByName(ctx, name)
	if err != nil {
		return err
	}
	path := "/clients/" + client.text("id") + "/default-client-scopes"
	given, err := c.scopes(ctx, path)
	if err != nil {
		return err
	}
	known, err := c.scopes(ctx, "/client-scopes")
	if err != nil {
		return err
	}
	for _, scope := range names {
		if given[scope] != "" {
			continue
		}
		if known[scope] == "" {
			return fmt.Errorf("client scope %s: %w", scope, ErrNotFound)
		}
		if err := c.put(ctx, path+"/"+known[scope], representation{}); err != nil {
			return err
		}
		report.changed("client %s: scope %s", name, scope)
	}
	return nil
}
