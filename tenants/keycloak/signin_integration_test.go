//go:build integration

package keycloak_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"chatiere/tenants/keycloak"
)

const (
	goodPassword = "trois canards sous la pluie"
	otpSecret    = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
)

var (
	asMFA     = url.Values{"acr_values": {"mfa"}}
	essential = url.Values{"claims": {`{"id_token":{"acr":{"essential":true,"values":["mfa"]}}}`}}
)

// person makes an account in a group of its own, for one test.
func person(t *testing.T, r real, group, otp string) (username string) {
	t.Helper()
	client, username := r.client(t, "test"), unique("pers")
	made, err := client.EnsureUser(t.Context(), keycloak.Account{
		Username: username, Email: username + "@lilas.example", FirstName: "Jeanne", Password: goodPassword,
		OTP: keycloak.Secret(otp), Operation: "01TEST",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.DeleteUser(context.WithoutCancel(t.Context()), username); err != nil {
			t.Error(err)
		}
	})
	in, err := client.EnsureGroupPath(t.Context(), group, "01TEST")
	if err != nil {
		t.Fatal(err)
	}
	if err := client.AddMember(t.Context(), made.ID, in.ID); err != nil {
		t.Fatal(err)
	}
	return username
}

func credentials(username string) url.Values {
	return url.Values{"username": {username}, "password": {goodPassword}}
}

func wantClaims(t *testing.T, claims map[string]any, acr, group string) {
	t.Helper()
	if claims["acr"] != acr {
		t.Errorf("acr is %v, want %s", claims["acr"], acr)
	}
	groups, _ := claims["groups"].([]any)
	if !slices.Contains(groups, any(group)) {
		t.Errorf("groups are %v, want %s among them", groups, group)
	}
	for _, name := range []string{"sub", "sid", "auth_time", "email", "nonce"} {
		if claims[name] == nil {
			t.Errorf("claim %s is missing from %v", name, claims)
		}
	}
	t.Logf("acr=%v groups=%v auth_time=%v", claims["acr"], claims["groups"], claims["auth_time"])
}

func TestPasswordAloneGivesLevelPwd(t *testing.T) {
	r := reach(t)
	username := person(t, r, "/assos/amap-du-puy/membres", "")
	b := newBrowser(t, r)
	verifier := b.open(nil)
	b.submit(credentials(username))
	wantClaims(t, b.claims(verifier), "pwd", "/assos/amap-du-puy/membres")
}

func TestAskingForMFADemandsTheOneTimeCode(t *testing.T) {
	r := reach(t)
	for name, ask := range map[string]url.Values{"acr_values": asMFA, "essential claim": essential} {
		t.Run(name, func(t *testing.T) {
			username := person(t, r, "/coop/admins", otpSecret)
			b := newBrowser(t, r)
			verifier := b.open(ask)
			b.submit(credentials(username))
			if b.code != "" {
				t.Fatal("signed in without a one-time code")
			}
			b.submit(url.Values{"otp": {oneTime(t, otpSecret, 0)}})
			wantClaims(t, b.claims(verifier), "mfa", "/coop/admins")
		})
	}
}

func TestAWrongOneTimeCodeIsRefused(t *testing.T) {
	r := reach(t)
	username := person(t, r, "/coop/admins", otpSecret)
	b := newBrowser(t, r)
	b.open(asMFA)
	b.submit(credentials(username))
	b.submit(url.Values{"otp": {"000000"}})
	if b.code != "" || !strings.Contains(b.page, `name="otp"`) {
		t.Fatalf("not asked again after a wrong one-time code:\n%s", b.page)
	}
}

func TestStepUpFromASessionAsksOnlyForTheCode(t *testing.T) {
	r := reach(t)
	username := person(t, r, "/coop/admins", otpSecret)
	b := newBrowser(t, r)
	verifier := b.open(nil)
	b.submit(credentials(username))
	wantClaims(t, b.claims(verifier), "pwd", "/coop/admins")

	verifier = b.open(asMFA)
	if b.code != "" {
		t.Fatal("the level rose without a one-time code")
	}
	b.submit(url.Values{"otp": {oneTime(t, otpSecret, 0)}})
	wantClaims(t, b.claims(verifier), "mfa", "/coop/admins")
}

const totpField = "totpSecret"

func TestWithoutOneTimeCodeMFALeadsToSettingItUp(t *testing.T) {
	r := reach(t)
	username := person(t, r, "/coop/admins", "")
	b := newBrowser(t, r)
	verifier := b.open(asMFA)
	b.submit(credentials(username))
	if b.code != "" || !strings.Contains(b.page, totpField) {
		t.Fatalf("not sent to setting up a one-time code:\n%s", b.page)
	}
	secret := hiddenField(t, b.page, totpField)
	b.submit(url.Values{totpField: {secret}, "totp": {oneTime(t, encoded(secret), 0)}, "userLabel": {"téléphone"}})
	wantClaims(t, b.claims(verifier), "mfa", "/coop/admins")
}

func TestPasswordsEverybodyUsesAreRefused(t *testing.T) {
	r := reach(t)
	client, username := r.client(t, "test"), person(t, r, "/assos/amap-du-puy/membres", "")
	found, err := client.FindUser(t.Context(), username)
	if err != nil {
		t.Fatal(err)
	}
	for _, weak := range []string{"azertyazerty", "AzertyAzerty", "court", username + "@lilas.example"} {
		if err := client.SetPassword(t.Context(), found.ID, keycloak.Secret(weak), false); !errors.Is(err, keycloak.ErrWeakPassword) {
			t.Errorf("password %q: %v, want it refused as weak", weak, err)
		} else {
			t.Log(err)
		}
	}
	if err := client.SetPassword(t.Context(), found.ID, "cheval agrafe pile exact", true); err != nil {
		t.Error(err)
	}
}

func TestRefreshingKeepsTheLevelAndBringsTheGroupsOfNow(t *testing.T) {
	r := reach(t)
	username := person(t, r, "/coop/admins", otpSecret)
	b := newBrowser(t, r)
	verifier := b.open(asMFA)
	b.submit(credentials(username))
	b.submit(url.Values{"otp": {oneTime(t, otpSecret, 0)}})
	wantClaims(t, b.claims(verifier), "mfa", "/coop/admins")

	client := r.client(t, "test")
	found, err := client.FindUser(t.Context(), username)
	if err != nil {
		t.Fatal(err)
	}
	admins, err := client.GroupByPath(t.Context(), "/coop/admins")
	if err != nil {
		t.Fatal(err)
	}
	if err := client.RemoveMember(t.Context(), found.ID, admins.ID); err != nil {
		t.Fatal(err)
	}
	refreshed := b.payload(b.refresh())
	if refreshed["acr"] != "mfa" || refreshed["groups"] != nil {
		t.Errorf("after leaving the group: acr %v, groups %v", refreshed["acr"], refreshed["groups"])
	}

	if err := client.Logout(t.Context(), found.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.tryRefresh(); err == nil {
		t.Error("a session that was ended could be refreshed")
	}
}

func TestSignedInPeopleMayChangeTheirPasswordOnOurPages(t *testing.T) {
	r := reach(t)
	username := person(t, r, "/assos/amap-du-puy/membres", "")
	b := newBrowser(t, r)
	b.open(nil)
	b.submit(credentials(username))
	verifier := b.open(url.Values{"kc_action": {"UPDATE_PASSWORD"}})
	b.submit(url.Values{"password-new": {"azertyazerty"}, "password-confirm": {"azertyazerty"}})
	if b.code != "" || !strings.Contains(b.page, "password-new") {
		t.Fatalf("azertyazerty was not refused:\n%s", b.page)
	}
	b.submit(url.Values{"password-new": {"cheval agrafe pile exact"}, "password-confirm": {"cheval agrafe pile exact"}})
	wantClaims(t, b.claims(verifier), "pwd", "/assos/amap-du-puy/membres")
}

func TestATemporaryPasswordMustBeChangedAtTheFirstSignIn(t *testing.T) {
	r := reach(t)
	client, username := r.client(t, "test"), person(t, r, "/assos/amap-du-puy/membres", "")
	found, err := client.FindUser(t.Context(), username)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.SetPassword(t.Context(), found.ID, goodPassword, true); err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t, r)
	verifier := b.open(nil)
	b.submit(credentials(username))
	if b.code != "" || !strings.Contains(b.page, "password-new") {
		t.Fatalf("not asked for a new password:\n%s", b.page)
	}
	b.submit(url.Values{"password-new": {"cheval agrafe pile exact"}, "password-confirm": {"cheval agrafe pile exact"}})
	wantClaims(t, b.claims(verifier), "pwd", "/assos/amap-du-puy/membres")
}
