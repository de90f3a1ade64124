package keycloaktest

import (
	"cmp"
	"os"
	"slices"
	"testing"

	"chatiere/tenants/keycloak"
)

// Wanted is the realm as the suite wants it; the panel's address is the one of the realm under test.
func Wanted(panelURL string) keycloak.Realm {
	return keycloak.Realm{Name: "Coop des Lilas", PanelClient: "panel", PanelURL: panelURL}
}

// PanelURL is the panel's address in the realm that the suite runs on: that of a real instance when one is named, since
// people still want to sign in there after the suite.
var PanelURL = cmp.Or(os.Getenv("CHATIERE_TEST_PANEL_URL"), "https://panel.chatiere.localhost:8443")

func realmIsEnsured(t *testing.T, open Open) {
	client := open(t, "test")
	ensure := must[keycloak.Report](t)
	ensure(client.EnsureRealm(t.Context(), Wanted(PanelURL)))
	if again := ensure(client.EnsureRealm(t.Context(), Wanted(PanelURL))); len(again.Changed)+len(again.Advice) > 0 {
		t.Errorf("the second time: %+v", again)
	}

	moved := Wanted("https://panneau.lilas.example")
	moved.Name = "Coop des Mésanges"
	want := []string{
		"client panel: attributes.backchannel.logout.url", "client panel: attributes.post.logout.redirect.uris",
		"client panel: baseUrl", "client panel: redirectUris", "realm setting displayName",
	}
	if report := ensure(client.EnsureRealm(t.Context(), moved)); !slices.Equal(slices.Sorted(slices.Values(report.Changed)), want) {
		t.Errorf("moving the panel changed %q, want %q", report.Changed, want)
	}
	ensure(client.EnsureRealm(t.Context(), Wanted(PanelURL)))
	sharedRealmIsLeftAlone(t, client)
}

// sharedRealmIsLeftAlone: on somebody else's realm we bind our flow to our client, and only advise on the rest.
func sharedRealmIsLeftAlone(t *testing.T, client *keycloak.Client) {
	ensure := must[keycloak.Report](t)
	shared := keycloak.Realm{Shared: true, Name: "ignored", PanelClient: unique("panneau"), PanelURL: PanelURL, PasswordPolicy: "length(14)"}
	report := ensure(client.EnsureRealm(t.Context(), shared))
	if !slices.Contains(report.Changed, "client "+shared.PanelClient+" made") {
		t.Errorf("changed %q, want the client made", report.Changed)
	}
	if want := []string{"realm setting passwordPolicy should be length(14)"}; !slices.Equal(report.Advice, want) {
		t.Errorf("advice %q, want %q", report.Advice, want)
	}
	again := ensure(client.EnsureRealm(t.Context(), shared))
	if len(again.Changed) > 0 {
		t.Errorf("the second time changed %q", again.Changed)
	}
	if own := ensure(client.EnsureRealm(t.Context(), Wanted(PanelURL))); len(own.Changed) > 0 {
		t.Errorf("our own realm was changed by it: %q", own.Changed)
	}
}
