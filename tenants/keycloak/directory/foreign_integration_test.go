//go:build integration

package directory

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"chatiere/panel/auth"
	"chatiere/panel/auth/authtest"
	"chatiere/tenants"
	"chatiere/tenants/identity"
	"chatiere/tenants/keycloak"
)

// foreign is a realm of somebody else's on a real Keycloak: made by its administrator for one test, with what the guide
// asks of it and nothing of ours.
type foreign struct {
	t                      *testing.T
	admin                  *http.Client // its administrator
	base, realm, panelURL  string
	panelSecret, workerKey string
	panel                  string // the id of the panel's client
	socket                 http.RoundTripper
}

const (
	foreignPanel  = "tableau"
	foreignWorker = "chatiere-compte"
	otherClient   = "autre"
	phrase        = "trois canards sous la pluie"
)

type object = map[string]any

func newForeign(t *testing.T) *foreign {
	t.Helper()
	issuer, socket, password := os.Getenv("CHATIERE_TEST_KEYCLOAK_ISSUER"), os.Getenv("CHATIERE_TEST_KEYCLOAK_SOCKET"), os.Getenv("CHATIERE_TEST_KC_BOOTSTRAP")
	base, _, ok := strings.Cut(issuer, "/realms/")
	if !ok || socket == "" || password == "" {
		t.Fatal("CHATIERE_TEST_KEYCLOAK_ISSUER, _KEYCLOAK_SOCKET and _KC_BOOTSTRAP say on which Keycloak to make a realm")
	}
	f := &foreign{
		t: t, base: base, realm: "etranger-" + strings.ToLower(rand.Text()[:8]), panelURL: "https://panel.lilas.example",
		panelSecret: rand.Text(), workerKey: rand.Text(), socket: keycloak.Socket(socket),
	}
	plain := context.WithValue(context.WithoutCancel(t.Context()), oauth2.HTTPClient, &http.Client{Transport: f.socket, Timeout: 30 * time.Second})
	master := oauth2.Config{ClientID: "admin-cli", Endpoint: oauth2.Endpoint{
		TokenURL: base + "/realms/master/protocol/openid-connect/token", AuthStyle: oauth2.AuthStyleInParams,
	}}
	token, err := master.PasswordCredentialsToken(plain, "chatiere-bootstrap", password)
	if err != nil {
		t.Fatal("signing in to the realm master: ", err)
	}
	f.admin = master.Client(plain, token)
	f.send(http.MethodPost, base+"/admin/realms", f.description())
	t.Cleanup(func() { f.do(http.MethodDelete, "", nil, nil) })
	var found []struct{ ID string }
	f.do(http.MethodGet, "/clients?clientId="+foreignPanel, nil, &found)
	if len(found) != 1 {
		t.Fatalf("the panel's client: %+v", found)
	}
	f.panel = found[0].ID
	return f
}

// description has a mapper that gives the bare names of groups, so that nothing in them is escaped, and a client that may
// see all roles there are. The account has only the rights that the guide names.
func (f *foreign) description() object {
	mapper := func(name, kind string, config object) object {
		for key, value := range (object{"id.token.claim": "true", "access.token.claim": "true", "multivalued": "true"}) {
			config[key] = value
		}
		return object{"name": name, "protocol": "openid-connect", "protocolMapper": kind, "config": config}
	}
	return object{
		"realm": f.realm, "enabled": true, "sslRequired": "none",
		"clients": []object{
			{
				"clientId": foreignPanel, "secret": f.panelSecret, "protocol": "openid-connect", "publicClient": false, "standardFlowEnabled": true,
				"directAccessGrantsEnabled": false, "fullScopeAllowed": true, "redirectUris": []string{f.panelURL + identity.CallbackPath},
				"attributes": object{"pkce.code.challenge.method": "S256"},
				"protocolMappers": []object{
					mapper("groups", "oidc-group-membership-mapper", object{"claim.name": "groups", "full.path": "false"}),
					mapper("roles", "oidc-usermodel-client-role-mapper", object{"claim.name": "resource_access.${client_id}.roles", "jsonType.label": "String"}),
				},
			},
			{"clientId": foreignWorker, "secret": f.workerKey, "protocol": "openid-connect", "publicClient": false, "standardFlowEnabled": false, "serviceAccountsEnabled": true},
			{"clientId": otherClient, "protocol": "openid-connect", "publicClient": true},
		},
		"users": []object{{
			"username": "service-account-" + foreignWorker, "enabled": true, "serviceAccountClientId": foreignWorker,
			"clientRoles": object{"realm-management": []string{"manage-users", "view-users", "query-users", "query-groups"}},
		}},
	}
}

// do asks below the realm's admin address; it returns the last element of what Location says.
func (f *foreign) do(method, below string, in, out any) (made string) {
	f.t.Helper()
	content, location := f.send(method, f.base+"/admin/realms/"+f.realm+below, in)
	if out != nil {
		if err := json.Unmarshal(content, out); err != nil {
			f.t.Fatalf("%s %s: %v in %.200q", method, below, err, content)
		}
	}
	return path.Base(location)
}

func (f *foreign) send(method, address string, in any) (content []byte, location string) {
	f.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		f.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(context.WithoutCancel(f.t.Context()), method, address, bytes.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := f.admin.Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err = io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= http.StatusMultipleChoices {
		f.t.Fatalf("%s %s: %s %.300s %v", method, address, response.Status, content, err)
	}
	return content, response.Header.Get("Location")
}

// person makes somebody who may sign in with the phrase, and returns the subject.
func (f *foreign) person(username string) string {
	f.t.Helper()
	return f.do(http.MethodPost, "/users", object{
		"username": username, "email": username + "@ailleurs.example", "emailVerified": true, "firstName": "Jeanne", "lastName": "Doe", "enabled": true,
		"credentials": []object{{"type": "password", "value": phrase, "temporary": false}},
	}, nil)
}

// forge makes a group at the top whatever its name, and puts somebody into it.
func (f *foreign) forge(name, subject string) {
	f.t.Helper()
	f.join(subject, f.do(http.MethodPost, "/groups", object{"name": name}, nil))
}

func (f *foreign) join(subject, groupID string) {
	f.t.Helper()
	f.do(http.MethodPut, "/users/"+subject+"/groups/"+groupID, object{}, nil)
}

// grant makes a role of a client, or of the realm where client is empty, and gives it to somebody ("/users/…") or a group.
func (f *foreign) grant(client, role, to string) {
	f.t.Helper()
	roles, mapping := "/roles", "/realm"
	if client != "" {
		roles, mapping = "/clients/"+client+"/roles", "/clients/"+client
	}
	f.do(http.MethodPost, roles, object{"name": role}, nil)
	var made object
	f.do(http.MethodGet, roles+"/"+url.PathEscape(role), nil, &made)
	f.do(http.MethodPost, to+"/role-mappings"+mapping, []object{made}, nil)
}

// worker is our client of the admin interface, with the account's few rights.
func (f *foreign) worker() *keycloak.Client {
	f.t.Helper()
	client, err := keycloak.New(keycloak.Options{
		Issuer: f.issuer(), ClientID: foreignWorker, Secret: keycloak.Secret(f.workerKey), Instance: "test",
		HTTPClient: &http.Client{Transport: f.socket, Timeout: 30 * time.Second},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return client
}

func (f *foreign) issuer() string { return f.base + "/realms/" + f.realm }

var formAction = regexp.MustCompile(`(?s)<form[^>]*\baction="([^"]+)"`)

// signIn goes through the panel's own sign-in, with a browser at Keycloak's page.
func (f *foreign) signIn(from identity.RightsFrom, store *authtest.Store, username string) (auth.Session, error) {
	f.t.Helper()
	log := slog.New(slog.DiscardHandler)
	provider := identity.NewProvider(identity.Settings{
		Issuer: f.issuer(), ClientID: foreignPanel, ClientSecret: f.panelSecret, PublicURL: f.panelURL, Rights: from,
		Client: &http.Client{Transport: f.socket, Timeout: 30 * time.Second},
	}, time.Now, log)
	provider.Run(f.t.Context())
	seal, err := auth.NewSealer(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		f.t.Fatal(err)
	}
	sessions := &auth.Sessions{Store: store, Members: store, Provider: provider, Sealer: seal, Now: time.Now, Log: log}
	panel := &auth.SignIn{Flows: store, Sessions: sessions, Provider: provider, Audit: store, Now: time.Now, Log: log}
	leaving, err := panel.Begin(f.t.Context(), auth.Start{})
	if err != nil {
		f.t.Fatal(err)
	}
	back := f.browse(leaving.URL, username)
	arrival, err := panel.Finish(f.t.Context(), auth.Callback{
		State: back.Get("state"), Code: back.Get("code"), Issuer: back.Get("iss"), Error: back.Get("error"), Binding: leaving.Binding,
	})
	return arrival.Session, err
}

// browse fills in Keycloak's form and returns what comes back to the panel.
func (f *foreign) browse(address, username string) (back url.Values) {
	f.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		f.t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Transport: f.socket, Timeout: 30 * time.Second, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), f.panelURL) {
			back = r.URL.Query()
			return http.ErrUseLastResponse
		}
		return nil
	}}
	page := func(response *http.Response, err error) string {
		f.t.Helper()
		if err != nil {
			f.t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			f.t.Fatal(err)
		}
		return string(text)
	}
	form := page(client.Get(address))
	action := formAction.FindStringSubmatch(form)
	if action == nil {
		f.t.Fatalf("no form on the page:\n%s", form)
	}
	after := page(client.PostForm(html.UnescapeString(action[1]), url.Values{"username": {username}, "password": {phrase}}))
	if back == nil {
		f.t.Fatalf("%s did not come back; the page says:\n%s", username, after)
	}
	return back
}

// wants signs somebody in and compares the rights.
func (f *foreign) wants(t *testing.T, from identity.RightsFrom, store *authtest.Store, username string, admin bool, memberships map[string]tenants.Role) {
	t.Helper()
	got, err := f.signIn(from, store, username)
	if err != nil {
		t.Errorf("%s: %v", username, err)
		return
	}
	same := len(got.Memberships) == len(memberships)
	for slug, role := range memberships {
		same = same && got.Memberships[slug] == role
	}
	if got.CoopAdmin != admin || !same {
		t.Errorf("%s: admin %v, memberships %v; want %v, %v", username, got.CoopAdmin, got.Memberships, admin, memberships)
	}
}

var (
	nothing  = map[string]tenants.Role{}
	managing = map[string]tenants.Role{"amap": tenants.RoleManager}
)

// In a realm of somebody else's, everybody who manages groups there can call one "coop/admins", and its mappers are not ours.
func TestInAForeignRealmNoNameForgesARight(t *testing.T) {
	f := newForeign(t)
	lea, gil, max, eve := f.person("lea"), f.person("gil"), f.person("max"), f.person("eve")
	for _, name := range []string{"coop/admins", "/coop/admins"} { // before ours: whoever looks for a path finds these first
		f.forge(name, max)
	}
	for _, name := range []string{"assos/amap", "assos/amap/gestion", "/assos/amap/gestion"} {
		f.forge(name, eve)
	}
	g := Directory{f.worker()}
	admins, err := g.Client.EnsureGroupPath(t.Context(), adminsGroup, "01TEST")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.EnsureAssociation(t.Context(), "amap", "01TEST"); err != nil {
		t.Fatal(err)
	}
	managers, err := g.Client.GroupByPath(t.Context(), associationsGroup+"/amap"+managersGroup)
	if err != nil {
		t.Fatal(err)
	}
	f.join(lea, admins.ID)
	f.join(gil, managers.ID)

	// What the rest is about: of a token of this realm, a name is believed to be a path.
	f.wants(t, identity.RightsGroups, authtest.NewStore(), "max", true, nothing)
	f.wants(t, identity.RightsGroups, authtest.NewStore(), "eve", false, managing)

	t.Run("directory", func(t *testing.T) {
		got, err := g.Admins(t.Context())
		if err != nil || !slices.Equal(got, []string{lea}) {
			t.Errorf("admins are %v, %v; want %s alone", got, err, lea)
		}
		members, err := g.Members(t.Context(), "amap")
		if err != nil || len(members) != 1 || members[0].Subject != gil || members[0].Memberships["amap"] != tenants.RoleManager {
			t.Errorf("members are %+v, %v; want %s alone", members, err, gil)
		}
		store := authtest.NewStore()
		store.SetRightsAge(0, false)
		if _, err := f.signIn(identity.RightsDirectory, store, "max"); !errors.Is(err, tenants.ErrUnavailable) {
			t.Errorf("before the directory was ever read: %v", err)
		}
		store.SetRightsAge(0, true)
		for _, subject := range got { // as the worker's copy would say
			_ = store.SaveMember(t.Context(), tenants.Member{Subject: subject, CoopAdmin: true})
		}
		for _, m := range members {
			_ = store.SaveMember(t.Context(), m)
		}
		f.wants(t, identity.RightsDirectory, store, "lea", true, nothing)
		f.wants(t, identity.RightsDirectory, store, "gil", false, managing)
		f.wants(t, identity.RightsDirectory, store, "max", false, nothing)
		f.wants(t, identity.RightsDirectory, store, "eve", false, nothing)
	})
	t.Run("roles", func(t *testing.T) {
		var other []struct{ ID string }
		f.do(http.MethodGet, "/clients?clientId="+otherClient, nil, &other)
		f.grant(f.panel, "coop-admins", "/users/"+lea)
		f.grant(f.panel, "gestion:amap", "/groups/"+managers.ID)
		f.grant("", "coop-admins", "/users/"+max)          // the realm's
		f.grant(other[0].ID, "coop-admins", "/users/"+max) // another client's
		f.grant(other[0].ID, "gestion:amap", "/users/"+eve)
		f.grant(f.panel, "gestion:amap/coop-admins", "/users/"+eve)
		f.wants(t, identity.RightsRoles, authtest.NewStore(), "lea", true, nothing)
		f.wants(t, identity.RightsRoles, authtest.NewStore(), "gil", false, managing)
		f.wants(t, identity.RightsRoles, authtest.NewStore(), "max", false, nothing)
		f.wants(t, identity.RightsRoles, authtest.NewStore(), "eve", false, nothing)
	})
	t.Run("nothing", func(t *testing.T) { // last: all of them have groups and roles by now
		for _, username := range []string{"lea", "gil", "max", "eve"} {
			f.wants(t, identity.RightsNone, authtest.NewStore(), username, false, nothing)
		}
	})
	t.Run("the account may do no more than it must", func(t *testing.T) {
		report, err := g.Client.EnsureRealm(t.Context(), keycloak.Realm{
			Shared: true, Name: "Coop", PanelClient: foreignPanel, PanelURL: "https://ailleurs.example",
		})
		if err != nil || len(report.Advice) == 0 {
			t.Errorf("bringing the realm up to date: %+v, %v; want advice alone", report, err)
		}
		var panel struct{ RedirectURIs []string }
		f.do(http.MethodGet, "/clients/"+f.panel, nil, &panel)
		if want := []string{f.panelURL + identity.CallbackPath}; !slices.Equal(panel.RedirectURIs, want) {
			t.Errorf("the panel's client leads to %v, want %v", panel.RedirectURIs, want)
		}
	})
}
