//go:build integration

package keycloak_test

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"golang.org/x/oauth2"

	"chatiere/tenants/keycloak"
)

// browser is a person in front of Keycloak's pages: cookies, forms, and the redirect back to the panel caught.
type browser struct {
	t      *testing.T
	client *http.Client
	config oauth2.Config
	page   string
	code   string
	failed string
	token  *oauth2.Token
}

func newBrowser(t *testing.T, r real) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, config: oauth2.Config{
		ClientID: "panel", ClientSecret: r.panelSecret, RedirectURL: r.panelURL + "/auth/callback", Scopes: []string{"openid"},
		Endpoint: oauth2.Endpoint{
			AuthURL: r.issuer + "/protocol/openid-connect/auth", TokenURL: r.issuer + "/protocol/openid-connect/token",
			AuthStyle: oauth2.AuthStyleInHeader,
		},
	}}
	b.client = &http.Client{
		Jar: jar, Transport: keycloak.Socket(r.socket), Timeout: 30 * time.Second,
		CheckRedirect: func(request *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(request.URL.String(), r.panelURL) {
				b.code = request.URL.Query().Get("code")
				b.failed = request.URL.Query().Get("error")
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	return b
}

// open starts a sign-in and returns the PKCE verifier; extra parameters such as acr_values are added as they are.
func (b *browser) open(extra url.Values) string {
	b.t.Helper()
	verifier := oauth2.GenerateVerifier()
	address := b.config.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("nonce", "nonce"))
	b.code = ""
	b.do(http.NewRequest(http.MethodGet, address+"&"+extra.Encode(), nil))
	return verifier
}

var formAction = regexp.MustCompile(`(?s)<form[^>]*\baction="([^"]+)"`)

// submit fills in the form of the page that is shown.
func (b *browser) submit(fields url.Values) {
	b.t.Helper()
	found := formAction.FindStringSubmatch(b.page)
	if found == nil {
		b.t.Fatalf("no form on the page:\n%s", b.page)
	}
	request, err := http.NewRequest(http.MethodPost, html.UnescapeString(found[1]), strings.NewReader(fields.Encode()))
	if err == nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	b.do(request, err)
}

func (b *browser) do(request *http.Request, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	response, err := b.client.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.page = string(content)
}

// claims redeems the code and reads the id token; its signature is the panel's business.
func (b *browser) claims(verifier string) map[string]any {
	b.t.Helper()
	if b.code == "" {
		b.t.Fatalf("not signed in (%s); the page says:\n%s", b.failed, b.page)
	}
	token, err := b.config.Exchange(withClient(b.t.Context(), b.client), b.code, oauth2.VerifierOption(verifier))
	if err != nil {
		b.t.Fatal(err)
	}
	b.token = token
	return b.payload(token)
}

// payload reads the id token that came with a token.
func (b *browser) payload(token *oauth2.Token) map[string]any {
	b.t.Helper()
	raw, _ := token.Extra("id_token").(string)
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		b.t.Fatalf("id token has %d parts", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		b.t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		b.t.Fatal(err)
	}
	return claims
}

// oneTime gives the code of a secret for a moment as many periods away from now; Keycloak accepts one to either side,
// and none twice.
func oneTime(t *testing.T, secret string, periods int) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, time.Now().Add(time.Duration(periods)*30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// hiddenField reads the value of an input of the page.
func hiddenField(t *testing.T, page, name string) string {
	t.Helper()
	input := regexp.MustCompile(`<input[^>]*name="` + name + `"[^>]*>`).FindString(page)
	value := regexp.MustCompile(`value="([^"]*)"`).FindStringSubmatch(input)
	if value == nil {
		t.Fatalf("no value in %q", input)
	}
	return html.UnescapeString(value[1])
}

// encoded is the form in which an authenticator takes a secret that Keycloak has made.
func encoded(secret string) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(secret))
}

func (b *browser) tryRefresh() (*oauth2.Token, error) {
	expired := &oauth2.Token{RefreshToken: b.token.RefreshToken}
	return b.config.TokenSource(withClient(b.t.Context(), b.client), expired).Token()
}

func (b *browser) refresh() *oauth2.Token {
	b.t.Helper()
	token, err := b.tryRefresh()
	if err != nil {
		b.t.Fatal(err)
	}
	return token
}
