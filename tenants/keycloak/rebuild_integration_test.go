//go:build integration

package keycloak_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"golang.org/x/oauth2/clientcredentials"

	"chatiere/tenants/keycloak"
	"chatiere/tenants/keycloak/keycloaktest"
)

// hand is somebody who changes the realm by hand.
type hand struct {
	t    *testing.T
	r    real
	http *http.Client
	auth string
}

func byHand(t *testing.T, r real) hand {
	t.Helper()
	h := hand{t: t, r: r, http: &http.Client{Transport: keycloak.Socket(r.socket)}}
	grant := clientcredentials.Config{ClientID: "chatiere-worker", ClientSecret: r.workerSecret, TokenURL: r.issuer + "/protocol/openid-connect/token"}
	token, err := grant.Token(withClient(t.Context(), h.http))
	if err != nil {
		t.Fatal(err)
	}
	h.auth = "Bearer " + token.AccessToken
	return h
}

func (h hand) do(method, path string, in, out any) {
	h.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		h.t.Fatal(err)
	}
	base, realm, _ := cutRealm(h.r.issuer)
	request, err := http.NewRequestWithContext(h.t.Context(), method, base+"/admin/realms/"+realm+path, bytes.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header.Set("Authorization", h.auth)
	request.Header.Set("Content-Type", "application/json")
	response, err := h.http.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		h.t.Fatalf("%s %s: %d %s %v", method, path, response.StatusCode, content, err)
	}
	if out != nil {
		if err := json.Unmarshal(content, out); err != nil {
			h.t.Fatal(err)
		}
	}
}

// bindTo puts another flow in force.
func (h hand) bindTo(alias string) {
	h.t.Helper()
	var realm map[string]any
	h.do(http.MethodGet, "", nil, &realm)
	realm["browserFlow"] = alias
	h.do(http.MethodPut, "", realm, nil)
}

func (h hand) bound() string {
	h.t.Helper()
	var realm map[string]any
	h.do(http.MethodGet, "", nil, &realm)
	alias, _ := realm["browserFlow"].(string)
	return alias
}

// spoil weakens the flow of that alias: the one-time code is no longer required.
func (h hand) spoil(alias string) {
	h.t.Helper()
	var steps []map[string]any
	path := "/authentication/flows/" + url.PathEscape(alias) + "/executions"
	h.do(http.MethodGet, path, nil, &steps)
	i := slices.IndexFunc(steps, func(step map[string]any) bool { return step["providerId"] == "auth-otp-form" })
	if i < 0 {
		h.t.Fatalf("no one-time code in %v", steps)
	}
	steps[i]["requirement"] = "DISABLED"
	h.do(http.MethodPut, path, steps[i], nil)
}

func TestASpoiltFlowIsBuiltAnewAndStillTellsTheTruth(t *testing.T) {
	r := reach(t)
	h, client := byHand(t, r), r.client(t, "test")
	for range 2 { // from the first alias to the spare one, and back over the outdated first
		before := h.bound()
		h.spoil(before)
		report, err := client.EnsureRealm(t.Context(), keycloaktest.Wanted(r.panelURL))
		if err != nil {
			t.Fatal(err)
		}
		if after := h.bound(); after == before || !slices.Contains(report.Changed, "flow "+after+" bound") {
			t.Fatalf("flow %q is still in force, or not reported: %q", before, report.Changed)
		}
		username := person(t, r, "/coop/admins", otpSecret)
		b := newBrowser(t, r)
		verifier := b.open(asMFA)
		b.submit(credentials(username))
		if b.code != "" {
			t.Fatal("signed in without a one-time code")
		}
		b.submit(url.Values{"otp": {oneTime(t, otpSecret, 0)}})
		wantClaims(t, b.claims(verifier), "mfa", "/coop/admins")
	}
}

func TestAFlowSomebodyElseBoundIsReplacedByOurs(t *testing.T) {
	r := reach(t)
	h, client := byHand(t, r), r.client(t, "test")
	h.bindTo("browser")
	report, err := client.EnsureRealm(t.Context(), keycloaktest.Wanted(r.panelURL))
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Changed) != 1 || h.bound() == "browser" {
		t.Errorf("changed %q, in force %q", report.Changed, h.bound())
	}
}
