package keycloaktest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"chatiere/tenants/keycloak"
)

// What the stand-in lets in.
const (
	ClientID = "chatiere-worker"
	Secret   = keycloak.Secret("worker-secret")
	realm    = "/realms/chatiere"
)

// Fake is a stateful stand-in for one realm's admin interface.
type Fake struct {
	// EscapeSlashes writes a slash in a group's name as "~/" in its path, as our Keycloak does and others do not.
	EscapeSlashes bool

	server *httptest.Server

	mu      sync.Mutex
	next    int
	token   string
	left    int
	once    int
	groups  map[string]*group
	users   map[string]*user
	realm   map[string]any
	profile map[string]any
	clients map[string]map[string]any
	scopes  map[string]*scope
	flows   map[string]*flow
	configs map[string]map[string]any
}

// NewFake starts a stand-in that ends with the test.
func NewFake(t *testing.T) *Fake {
	t.Helper()
	f := &Fake{
		token: "token-0", left: -1, groups: map[string]*group{}, users: map[string]*user{}, clients: map[string]map[string]any{},
		scopes: map[string]*scope{}, flows: map[string]*flow{}, configs: map[string]map[string]any{},
		realm: map[string]any{"realm": "chatiere", "browserFlow": "browser"}, profile: map[string]any{},
	}
	f.seed()
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+realm+"/.well-known/openid-configuration", f.describe)
	mux.HandleFunc("POST "+realm+"/protocol/openid-connect/token", f.grant)
	f.serveGroups(mux)
	f.serveUsers(mux)
	f.serveRealm(mux)
	f.serveFlows(mux)
	f.server = httptest.NewServer(f.guard(mux))
	t.Cleanup(f.server.Close)
	return f
}

// Issuer is the realm's address.
func (f *Fake) Issuer() string { return f.server.URL + realm }

// Stop makes the stand-in unreachable.
func (f *Fake) Stop() { f.server.Close() }

// RevokeTokens makes all tokens given so far worthless, as a restart with new keys does.
func (f *Fake) RevokeTokens() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.token = "token-" + f.id()
}

// BreakAfter answers n more admin requests and all further ones with a fault of the server; -1 heals it.
func (f *Fake) BreakAfter(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = n
}

// FailOnce answers n more admin requests, one with a fault of the server, and all further ones. It returns a function that
// reports whether that one was asked for.
func (f *Fake) FailOnce(n int) (reached func() bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.once = n + 1
	return func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.once <= 0
	}
}

// seed makes what a fresh realm has.
func (f *Fake) seed() {
	for _, name := range []string{"basic", "profile", "email", "acr", "roles", "web-origins"} {
		f.scopes[f.id()] = &scope{name: name}
	}
	for _, name := range []string{"account", "account-console", "security-admin-console"} {
		id := f.id()
		f.clients[id] = map[string]any{"id": id, "clientId": name}
	}
	id := f.id()
	f.flows[id] = &flow{alias: "browser", top: true}
}

// id makes a new identifier; the caller holds the lock, or nobody else knows the stand-in yet.
func (f *Fake) id() string {
	f.next++
	return "id-" + strconv.Itoa(f.next)
}

// guard lets admin requests in one at a time, with the token of now.
func (f *Fake) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if strings.HasPrefix(r.URL.Path, "/admin/") {
			if f.left == 0 {
				refuse(w, http.StatusInternalServerError, "unknown_error")
				return
			}
			f.left = max(f.left-1, -1)
			if f.once--; f.once == 0 {
				refuse(w, http.StatusInternalServerError, "unknown_error")
				return
			}
			if r.Header.Get("Authorization") != "Bearer "+f.token {
				refuse(w, http.StatusUnauthorized, "HTTP 401 Unauthorized")
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (f *Fake) describe(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]string{"issuer": f.Issuer()})
}

func (f *Fake) grant(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	if id != ClientID || secret != string(Secret) || r.FormValue("grant_type") != "client_credentials" {
		refuse(w, http.StatusUnauthorized, "unauthorized_client")
		return
	}
	answer(w, map[string]any{"access_token": f.token, "token_type": "Bearer", "expires_in": 300})
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		panic(http.ErrAbortHandler) // the client is gone
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":%q}`, code)
}

// created answers as Keycloak does: the id is in the address alone.
func created(w http.ResponseWriter, r *http.Request, id string) {
	w.Header().Set("Location", "http://"+r.Host+r.URL.Path+"/"+id)
	w.WriteHeader(http.StatusCreated)
}

func done(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }

// read decodes the body; one that is no JSON is refused.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		refuse(w, http.StatusBadRequest, "unreadable")
		return false
	}
	return true
}

// page cuts a listing as first and max say; without max Keycloak stops at a hundred.
func page[T any](r *http.Request, all []T) []T {
	from, _ := strconv.Atoi(r.FormValue("first"))
	most, err := strconv.Atoi(r.FormValue("max"))
	if err != nil {
		most = 100
	}
	from = min(from, len(all))
	return all[from:min(from+most, len(all))]
}

// ordered lists what a map holds in the order of making.
func ordered[T any](things map[string]T) []string {
	return slices.SortedFunc(maps.Keys(things), func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
}
