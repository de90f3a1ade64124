package keycloak_test

import (
	"context"
	"errors"
	"testing"

	"chatiere/tenants/keycloak"
	"chatiere/tenants/keycloak/keycloaktest"
)

// Whichever request of a call fails, even if all that follow succeed, the call must not be taken for done.
func TestNoFailedRequestIsTakenForSuccess(t *testing.T) {
	type call func(ctx context.Context, c *keycloak.Client) error
	account := keycloak.Account{Username: "lea", Email: "lea@lilas.example", Password: "correct horse battery", OTP: "JBSWY3DPEHPK3PXP"}
	ensureUser := func(ctx context.Context, c *keycloak.Client) error {
		_, err := c.EnsureUser(ctx, account)
		return err
	}
	member := func(ctx context.Context, c *keycloak.Client) (user, group string, err error) {
		u, err := c.EnsureUser(ctx, account)
		if err != nil {
			return "", "", err
		}
		g, err := c.EnsureGroupPath(ctx, "/assos/lilas/membres", "op")
		return u.ID, g.ID, err
	}
	inGroup := func(then func(ctx context.Context, c *keycloak.Client, user, group string) error) (before, do call) {
		var user, group string
		return func(ctx context.Context, c *keycloak.Client) (err error) {
				if user, group, err = member(ctx, c); err != nil {
					return err
				}
				return c.AddMember(ctx, user, group)
			}, func(ctx context.Context, c *keycloak.Client) error {
				return then(ctx, c, user, group)
			}
	}
	nothing := func(context.Context, *keycloak.Client) error { return nil }
	association := func(ctx context.Context, c *keycloak.Client) error {
		_, err := c.EnsureAssociation(ctx, "lilas", "op")
		return err
	}
	membersBefore, members := inGroup(func(ctx context.Context, c *keycloak.Client, _, group string) error {
		_, err := c.Members(ctx, group)
		return err
	})
	groupsBefore, groups := inGroup(func(ctx context.Context, c *keycloak.Client, user, _ string) error {
		_, err := c.GroupsOf(ctx, user)
		return err
	})
	leaveBefore, leave := inGroup(func(ctx context.Context, c *keycloak.Client, user, group string) error {
		return c.RemoveMember(ctx, user, group)
	})
	logoutBefore, logout := inGroup(func(ctx context.Context, c *keycloak.Client, user, _ string) error { return c.Logout(ctx, user) })
	childrenBefore, children := inGroup(func(ctx context.Context, c *keycloak.Client, _, group string) error {
		_, err := c.Children(ctx, group)
		return err
	})
	for name, c := range map[string]struct{ before, do call }{
		"the realm": {nothing, func(ctx context.Context, c *keycloak.Client) error {
			_, err := c.EnsureRealm(ctx, keycloaktest.Wanted(keycloaktest.PanelURL))
			return err
		}},
		"the realm that moved": {func(ctx context.Context, c *keycloak.Client) error {
			_, err := c.EnsureRealm(ctx, keycloaktest.Wanted(keycloaktest.PanelURL))
			return err
		}, func(ctx context.Context, c *keycloak.Client) error {
			_, err := c.EnsureRealm(ctx, keycloaktest.Wanted("https://panneau.lilas.example"))
			return err
		}},
		"an association":               {nothing, association},
		"an association that is there": {association, association},
		"whether it is there": {association, func(ctx context.Context, c *keycloak.Client) error {
			_, _, err := c.AssociationExists(ctx, "lilas")
			return err
		}},
		"its removal":              {association, func(ctx context.Context, c *keycloak.Client) error { return c.RemoveAssociation(ctx, "lilas") }},
		"a deletion":               {association, func(ctx context.Context, c *keycloak.Client) error { return c.DeleteGroup(ctx, "/assos/lilas") }},
		"a tree":                   {association, func(ctx context.Context, c *keycloak.Client) error { _, err := c.Tree(ctx, "/assos"); return err }},
		"an account":               {nothing, ensureUser},
		"an account that is there": {ensureUser, ensureUser},
		"a search": {ensureUser, func(ctx context.Context, c *keycloak.Client) error {
			_, err := c.FindUser(ctx, "lea@lilas.example")
			return err
		}},
		"its deletion":        {ensureUser, func(ctx context.Context, c *keycloak.Client) error { return c.DeleteUser(ctx, "lea") }},
		"members":             {membersBefore, members},
		"groups of somebody":  {groupsBefore, groups},
		"somebody's leaving":  {leaveBefore, leave},
		"somebody's sign-out": {logoutBefore, logout},
		"children":            {childrenBefore, children},
	} {
		for fails := 0; ; fails++ {
			fake := keycloaktest.NewFake(t)
			fake.EscapeSlashes = true
			if err := c.before(t.Context(), fakeClient(t, fake, "test")); err != nil {
				t.Fatalf("%s: before: %v", name, err)
			}
			reached := fake.FailOnce(fails)
			err := c.do(t.Context(), fakeClient(t, fake, "test"))
			if !reached() {
				if err != nil || fails == 0 {
					t.Errorf("%s: %v after %d requests", name, err, fails)
				}
				break
			}
			if !errors.Is(err, keycloak.ErrUnreachable) {
				t.Errorf("%s: request %d fails, and the call says %v", name, fails+1, err)
			}
			fake.Stop()
		}
	}
}
