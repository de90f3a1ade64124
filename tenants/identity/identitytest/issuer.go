// Package identitytest holds an OpenID Connect issuer in the process for tests. It is never imported by the program.
package identitytest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Claims is the payload of a token.
type Claims map[string]any

// Issuer is an OpenID Connect issuer as far as a code flow goes, which can be made to fail.
type Issuer struct {
	URL      string
	ClientID string
	Secret   string

	key *rsa.PrivateKey
	now func() time.Time

	mu        sync.Mutex
	down      bool
	revoked   bool
	spoil     func(Claims)
	codes     map[string]code
	refresh   map[string]Claims // by refresh token, each good for one use
	refreshes int
	keysAsked int
}

type code struct {
	claims    Claims
	challenge string
}

// NewIssuer starts one, stopped with the test.
func NewIssuer(t testing.TB, now func() time.Time) *Issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatalf("making the issuer's key: %v", err)
	}
	i := &Issuer{ClientID: "panel", Secret: "client-secret", key: key, now: now, codes: map[string]code{}, refresh: map[string]Claims{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET /jwks", i.jwks)
	mux.HandleFunc("POST /token", i.token)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if i.isDown() {
			http.Error(w, "away", http.StatusBadGateway)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	i.URL = server.URL
	return i
}

// Down takes the issuer away, or brings it back.
func (i *Issuer) Down(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

func (i *Issuer) isDown() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.down
}

// Revoke makes every refresh an invalid_grant.
func (i *Issuer) Revoke() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.revoked = true
}

// Spoil lets a test falsify the claims of every ID token from now on; nil ends that.
func (i *Issuer) Spoil(f func(Claims)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.spoil = f
}

// Regroup changes what the next refreshes of everybody say of their groups.
func (i *Issuer) Regroup(groups ...string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, c := range i.refresh {
		c["groups"] = groups
	}
}

// Refreshes counts the refreshes granted.
func (i *Issuer) Refreshes() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.refreshes
}

// Person returns the claims of somebody in these groups.
func Person(sub, name string, groups ...string) Claims {
	return Claims{"sub": sub, "sid": "sid-" + sub, "preferred_username": sub, "name": name, "email": sub + "@lilas.example", "email_verified": true, "groups": groups, "acr": "1"}
}

// WithSecondFactor adds the second factor.
func (c Claims) WithSecondFactor() Claims {
	c = maps.Clone(c)
	c["acr"] = "mfa"
	return c
}

// Approve does what the issuer does once a person has proved who they are: it returns the query of the redirect back.
func (i *Issuer) Approve(t testing.TB, departure string, person Claims) url.Values {
	t.Helper()
	u, err := url.Parse(departure)
	if err != nil {
		t.Fatalf("reading the departure: %v", err)
	}
	q := u.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("nonce") == "" || q.Get("state") == "" {
		t.Fatalf("departure lacks PKCE, nonce or state: %s", departure)
	}
	claims := maps.Clone(person)
	claims["nonce"] = q.Get("nonce")
	name := rand.Text()
	i.mu.Lock()
	i.codes[name] = code{claims: claims, challenge: q.Get("code_challenge")}
	i.mu.Unlock()
	return url.Values{"code": {name}, "state": {q.Get("state")}, "iss": {i.URL}}
}

// LogoutToken signs one for back-channel logout, falsified by spoil if it is not nil.
func (i *Issuer) LogoutToken(sid, sub string, spoil func(Claims)) string {
	now := i.now()
	c := Claims{
		"iss": i.URL, "aud": i.ClientID, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": rand.Text(), "sub": sub,
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	if sid != "" {
		c["sid"] = sid
	}
	if spoil != nil {
		spoil(c)
	}
	return i.sign(c)
}

func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, Claims{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/jwks",
		"end_session_endpoint": i.URL + "/logout", "id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

// KeysAsked tells how often the keys were asked for.
func (i *Issuer) KeysAsked() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keysAsked
}

func (i *Issuer) jwks(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	i.keysAsked++
	i.mu.Unlock()
	e := big.NewInt(int64(i.key.E)).Bytes()
	reply(w, http.StatusOK, Claims{"keys": []Claims{{
		"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k1", "n": encode(i.key.N.Bytes()), "e": encode(e),
	}}})
}

func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	if id != i.ClientID || secret != i.Secret {
		reply(w, http.StatusUnauthorized, Claims{"error": "invalid_client"})
		return
	}
	claims, ok := i.redeem(r)
	if !ok {
		reply(w, http.StatusBadRequest, Claims{"error": "invalid_grant"})
		return
	}
	next := rand.Text()
	i.mu.Lock()
	i.refresh[next] = maps.Clone(claims)
	spoil := i.spoil
	i.mu.Unlock()
	now := i.now()
	maps.Copy(claims, Claims{"iss": i.URL, "aud": i.ClientID, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "auth_time": now.Unix()})
	if spoil != nil {
		spoil(claims)
	}
	reply(w, http.StatusOK, Claims{
		"access_token": "access", "token_type": "Bearer", "expires_in": 300, "refresh_token": next, "id_token": i.sign(claims),
	})
}

// redeem takes a code or a refresh token, each once.
func (i *Issuer) redeem(r *http.Request) (Claims, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch r.PostFormValue("grant_type") {
	case "authorization_code":
		c, ok := i.codes[r.PostFormValue("code")]
		delete(i.codes, r.PostFormValue("code"))
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		return maps.Clone(c.claims), ok && encode(sum[:]) == c.challenge
	case "refresh_token":
		c, ok := i.refresh[r.PostFormValue("refresh_token")]
		delete(i.refresh, r.PostFormValue("refresh_token"))
		if !ok || i.revoked {
			return nil, false
		}
		i.refreshes++
		c = maps.Clone(c)
		delete(c, "nonce")
		return c, true
	}
	return nil, false
}

func (i *Issuer) sign(c Claims) string {
	header, _ := json.Marshal(Claims{"alg": "RS256", "kid": "k1", "typ": "JWT"})
	payload, _ := json.Marshal(c)
	signed := encode(header) + "." + encode(payload)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err) // a key of our own making signs
	}
	return signed + "." + encode(signature)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func reply(w http.ResponseWriter, status int, body Claims) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that has gone is the test's own doing
}
