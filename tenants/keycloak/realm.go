package keycloak

import (
	"context"
	"errors"
	"fmt"
)

// The names under which our things stand in a realm.
const (
	groupsScope   = "chatiere-groups"
	browserFlow   = "chatiere browser"
	levelsOfTrust = `{"pwd":1,"mfa":2}`
	realmMark     = "realm"
)

// Realm says what signing in to the panel needs of the realm.
type Realm struct {
	// Shared is true for a realm that other applications use as well: then only our own groups, scope, flow and
	// client are touched, and what should be different elsewhere is reported as advice.
	Shared bool
	// Name is what people see above the sign-in form.
	Name string
	// PanelClient is the panel's client id, PanelURL its public address without a slash at the end.
	PanelClient string
	PanelURL    string
	// PanelSecret is set on the client if it is another; empty leaves it as it is.
	PanelSecret Secret
	// PasswordPolicy in Keycloak's words; empty is ours, which needs our password list inside the server.
	PasswordPolicy string
}

// Report says what [Client.EnsureRealm] changed, and what it would change but must not or may not. Both are empty
// when all is as it should be.
type Report struct {
	Changed []string
	Advice  []string
}

func (r *Report) changed(format string, args ...any) {
	r.Changed = append(r.Changed, fmt.Sprintf(format, args...))
}

func (r *Report) advise(format string, args ...any) {
	r.Advice = append(r.Advice, fmt.Sprintf(format, args...))
}

// EnsureRealm brings the realm to what is wanted. It may be repeated, and after a crash at any point a repetition
// ends in the same state: the browser flow is built aside and bound last.
func (c *Client) EnsureRealm(ctx context.Context, wanted Realm) (Report, error) {
	var report Report
	parts := []struct {
		name   string
		ensure func(context.Context, Realm, *Report) error
	}{
		{"groups", c.ensureRoots},
		{"scope " + groupsScope, c.ensureScope},
		{"client " + wanted.PanelClient, c.ensurePanel},
		{"flow " + browserFlow, c.ensureFlow},
		{"settings", c.ensureSettings},
		{"built-in clients", c.ensureBuiltIn},
	}
	for _, part := range parts {
		err := part.ensure(ctx, wanted, &report)
		if wanted.Shared && errors.Is(err, ErrRefused) {
			report.advise("%s: our client may not see or change this: %v", part.name, err)
			continue
		}
		if err != nil {
			return report, fmt.Errorf("ensuring %s: %w", part.name, err)
		}
	}
	return report, nil
}

// ensureRoots makes the groups under which everything else stands.
func (c *Client) ensureRoots(ctx context.Context, _ Realm, report *Report) error {
	for _, path := range []string{"/assos", "/coop/admins"} {
		_, err := c.GroupByPath(ctx, path)
		if err == nil {
			continue
		}
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		if _, err := c.EnsureGroupPath(ctx, path, realmMark); err != nil {
			return err
		}
		report.changed("group %s made", path)
	}
	return nil
}
