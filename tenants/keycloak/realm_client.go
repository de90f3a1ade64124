package keycloak

import (
	"context"
	"fmt"
	"net/url"
)

// panelClient is the client people sign in to the panel with: code flow with PKCE, exact addresses, and no roles in tokens.
func panelClient(wanted Realm) representation {
	attributes := representation{
		"pkce.code.challenge.method":                "S256",
		"post.logout.redirect.uris":                 wanted.PanelURL + "/",
		"backchannel.logout.url":                    wanted.PanelURL + "/auth/backchannel-logout",
		"backchannel.logout.session.required":       "true",
		"backchannel.logout.revoke.offline.tokens":  "false",
		"oauth2.device.authorization.grant.enabled": "false",
	}
	if wanted.Shared {
		// The realm's own levels may be named otherwise, and other clients rely on them.
		attributes["acr.loa.map"] = levelsOfTrust
	}
	client := representation{
		"clientId": wanted.PanelClient, "protocol": "openid-connect", "enabled": true,
		"publicClient": false, "clientAuthenticatorType": "client-secret",
		"standardFlowEnabled": true, "implicitFlowEnabled": false, "directAccessGrantsEnabled": false,
		"serviceAccountsEnabled": false, "fullScopeAllowed": false, "consentRequired": false, "frontchannelLogout": false,
		"baseUrl": wanted.PanelURL + "/", "redirectUris": []string{wanted.PanelURL + "/auth/callback"}, "webOrigins": []string{},
		"attributes": attributes,
	}
	if wanted.PanelSecret != "" {
		client["secret"] = string(wanted.PanelSecret)
	}
	return client
}

// clientByName finds a client by its client id.
func (c *Client) clientByName(ctx context.Context, name string) (representation, error) {
	var found []representation
	if err := c.get(ctx, "/clients?clientId="+url.QueryEscape(name), &found); err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("client %s: %w", name, ErrNotFound)
	}
	return found[0], nil
}

// ensurePanel makes or corrects the panel's client and gives it the scopes it reads claims from.
func (c *Client) ensurePanel(ctx context.Context, wanted Realm, report *Report) error {
	var found []representation
	if err := c.get(ctx, "/clients?clientId="+url.QueryEscape(wanted.PanelClient), &found); err != nil {
		return err
	}
	if len(found) == 0 {
		if _, err := c.create(ctx, "/clients", panelClient(wanted)); err != nil {
			return err
		}
		report.changed("client %s made", wanted.PanelClient)
		return c.ensureScopes(ctx, wanted.PanelClient, report, "basic", "profile", "email", "acr", groupsScope)
	}
	client := found[0]
	if different := client.merge(panelClient(wanted)); len(different) > 0 {
		if err := c.put(ctx, "/clients/"+client.text("id"), client); err != nil {
			return err
		}
		for _, name := range different {
			report.changed("client %s: %s", wanted.PanelClient, name)
		}
	}
	return c.ensureScopes(ctx, wanted.PanelClient, report, "basic", "profile", "email", "acr", groupsScope)
}

// ensureBuiltIn gives Keycloak's own account pages the scopes they need: an imported realm that brings its scopes
// leaves the built-in clients without any.
func (c *Client) ensureBuiltIn(ctx context.Context, wanted Realm, report *Report) error {
	if wanted.Shared {
		return nil
	}
	for _, name := range []string{"account", "account-console", "security-admin-console"} {
		if err := c.ensureScopes(ctx, name, report, "basic", "profile", "email", "acr", "roles", "web-origins"); err != nil {
			return err
		}
	}
	return nil
}
