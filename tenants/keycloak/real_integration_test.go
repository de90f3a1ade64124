//go:build integration

package keycloak_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"chatiere/tenants/keycloak"
)

// real is a running Keycloak with our realm, given by the environment.
type real struct {
	issuer, socket, panelURL, panelSecret, workerSecret string
}

func reach(t *testing.T) real {
	t.Helper()
	r := real{
		issuer: os.Getenv("CHATIERE_TEST_KEYCLOAK_ISSUER"), socket: os.Getenv("CHATIERE_TEST_KEYCLOAK_SOCKET"),
		panelURL:    os.Getenv("CHATIERE_TEST_PANEL_URL"),
		panelSecret: os.Getenv("CHATIERE_TEST_OIDC_PANEL"), workerSecret: os.Getenv("CHATIERE_TEST_OIDC_WORKER"),
	}
	if r.issuer == "" || r.socket == "" || r.panelURL == "" || r.panelSecret == "" || r.workerSecret == "" {
		t.Fatal("CHATIERE_TEST_KEYCLOAK_ISSUER, _KEYCLOAK_SOCKET, _PANEL_URL, _OIDC_PANEL and _OIDC_WORKER say which Keycloak to test on")
	}
	return r
}

func (r real) client(t *testing.T, instance string) *keycloak.Client {
	t.Helper()
	client, err := keycloak.New(keycloak.Options{
		Issuer: r.issuer, ClientID: "chatiere-worker", Secret: keycloak.Secret(r.workerSecret), Instance: instance,
		HTTPClient: &http.Client{Transport: keycloak.Socket(r.socket), Timeout: 30 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// unique makes a name that no earlier run has used.
func unique(prefix string) string { return prefix + "-" + strings.ToLower(rand.Text()[:8]) }

func withClient(ctx context.Context, client *http.Client) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, client)
}

func cutRealm(issuer string) (base, realm string, ok bool) { return strings.Cut(issuer, "/realms/") }
