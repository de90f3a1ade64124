//go:build integration

package keycloak_test

import (
	"regexp"
	"testing"

	"chatiere/tenants/keycloak/keycloaktest"
)

var builtIn = regexp.MustCompile(`^client (account|account-console|security-admin-console): scope `)

// The realm file and EnsureRealm say the same thing twice. On a realm that nothing but the import has touched, and on
// any that was ensured, there is nothing left to change but the scopes of Keycloak's own pages.
func TestTheImportedRealmIsWhatEnsureWants(t *testing.T) {
	r := reach(t)
	report, err := r.client(t, "test").EnsureRealm(t.Context(), keycloaktest.Wanted(r.panelURL))
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range report.Changed {
		if !builtIn.MatchString(change) {
			t.Errorf("the realm file lacks: %s", change)
		}
	}
	if len(report.Advice) > 0 {
		t.Errorf("advice on our own realm: %q", report.Advice)
	}
}
