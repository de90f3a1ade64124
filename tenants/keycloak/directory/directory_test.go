package directory

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/keycloak"
	"chatiere/tenants/keycloak/keycloaktest"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
	"chatiere/tenants/provision/provisiontest"
)

// realm returns our adapter on a stand-in realm in which one association was made.
func realm(t *testing.T, secret keycloak.Secret) (*keycloaktest.Fake, Directory) {
	t.Helper()
	fake := keycloaktest.NewFake(t)
	client, err := keycloak.New(keycloak.Options{Issuer: fake.Issuer(), ClientID: keycloaktest.ClientID, Secret: secret, Instance: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return fake, Directory{client}
}

// join makes a person and puts them into a group, which is made if need be.
func join(t *testing.T, c *keycloak.Client, username, path string) string {
	t.Helper()
	group, err := c.EnsureGroupPath(t.Context(), path, "01op")
	if err != nil {
		t.Fatal(err)
	}
	user, err := c.EnsureUser(t.Context(), keycloak.Account{Username: username, Email: username + "@lilas.example", Password: "a-long-enough-one-1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddMember(t.Context(), user.ID, group.ID); err != nil {
		t.Fatal(err)
	}
	return user.ID
}

func TestAdminsAreThoseInTheCoopsGroup(t *testing.T) {
	_, g := realm(t, keycloaktest.Secret)
	if got, err := g.Admins(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("without a group: %v, %v; want nobody", got, err)
	}
	lea := join(t, g.Client, "lea", "/coop/admins")
	if got, err := g.Admins(t.Context()); err != nil || !slices.Equal(got, []string{lea}) {
		t.Errorf("got %v, %v; want %s", got, err, lea)
	}
}

func TestAMembersAddressCountsOnlyWhenKeycloakVouchesForIt(t *testing.T) {
	for verified, want := range map[bool]string{true: "lea@lilas.example", false: ""} {
		if m := member(keycloak.User{Email: "lea@lilas.example", Verified: verified}, "amap", tenants.RoleMember); m.Email != want {
			t.Errorf("verified %v: %q, want %q", verified, m.Email, want)
		}
	}
}

func TestWhoLeftAllGroupsOfAnAssociationIsNoMember(t *testing.T) {
	_, g := realm(t, keycloaktest.Secret)
	id, err := g.EnsureAssociation(t.Context(), "amap", "01op")
	if err != nil || id == "" {
		t.Fatalf("made group %q, %v", id, err)
	}
	lea := join(t, g.Client, "lea", "/assos/amap/membres")
	join(t, g.Client, "lea", "/assos/amap/gestion")
	got, err := g.Members(t.Context(), "amap")
	if err != nil || len(got) != 1 || got[0].Subject != lea || got[0].Memberships["amap"] != tenants.RoleManager || got[0].SeenAt.IsZero() {
		t.Fatalf("got %+v, %v; want Lea as a manager", got, err)
	}
	for _, sub := range []string{"membres", "gestion"} {
		group, err := g.Client.GroupByPath(t.Context(), "/assos/amap/"+sub)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Client.RemoveMember(t.Context(), lea, group.ID); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := g.Members(t.Context(), "amap"); err != nil || len(got) != 0 {
		t.Errorf("got %+v, %v; want nobody", got, err)
	}
	if err := g.RemoveAssociation(t.Context(), "amap"); err != nil {
		t.Fatal(err)
	}
	if got, err := g.Members(t.Context(), "amap"); err != nil || len(got) != 0 {
		t.Errorf("of a group that is gone: %+v, %v; want nobody", got, err)
	}
}

func TestARealmThatDoesNotAnswerSaysNothingOfAnybody(t *testing.T) {
	fake, g := realm(t, keycloaktest.Secret)
	join(t, g.Client, "lea", "/coop/admins")
	fake.BreakAfter(1) // the group is found, its members are not told
	if got, err := g.Admins(t.Context()); err == nil {
		t.Errorf("a realm that breaks down says %v", got)
	}
	fake.Stop()
	if got, err := g.Admins(t.Context()); err == nil {
		t.Errorf("a realm that is down says %v", got)
	}
	if got, err := g.List(t.Context()); err == nil {
		t.Errorf("a realm that is down lists %v", got)
	}
}

// at returns our adapter on a server of a test's own.
func at(t *testing.T, answers map[string]string) Directory {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	for path, text := range answers {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, text) // a client that is gone fails its own test
		})
	}
	client, err := keycloak.New(keycloak.Options{Issuer: server.URL + "/realms/chatiere", ClientID: "c", Secret: "s", Instance: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return Directory{client}
}

func TestARealmThatIsNotThereSaysNothingOfAnybody(t *testing.T) {
	g := at(t, nil) // as Keycloak answers before the realm was imported
	if got, err := g.Admins(t.Context()); err == nil {
		t.Errorf("it says %v", got)
	}
	if got, err := g.List(t.Context()); err == nil {
		t.Errorf("it lists %v", got)
	}
}

func TestWhoMayNotSignInHasNoRights(t *testing.T) {
	g := at(t, map[string]string{
		"/realms/chatiere/protocol/openid-connect/token":   `{"access_token":"x","token_type":"Bearer","expires_in":300}`,
		"/admin/realms/chatiere/group-by-path/coop":        `{"id":"g0","name":"coop","path":"/coop"}`,
		"/admin/realms/chatiere/group-by-path/coop/admins": `{"id":"g1","parentId":"g0","name":"admins","path":"/coop/admins"}`,
		"/admin/realms/chatiere/groups/g1/members":         `[{"id":"lea","username":"lea","enabled":true},{"id":"max","username":"max","enabled":false}]`,
	})
	if got, err := g.Admins(t.Context()); err != nil || !slices.Equal(got, []string{"lea"}) {
		t.Errorf("admins are %v (%v), want lea alone", got, err)
	}
}

func TestGroupsAreListedWithTheirMarks(t *testing.T) {
	_, g := realm(t, keycloaktest.Secret)
	if got, err := g.List(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("in a fresh realm: %v, %v", got, err)
	}
	if _, err := g.EnsureAssociation(t.Context(), "amap", "01op"); err != nil {
		t.Fatal(err)
	}
	want := []provision.FoundGroup{{Slug: "amap", Instance: "test", Operation: "01op"}}
	if got, err := g.List(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestRefusedByKeycloakIsRefusedInTheDomain(t *testing.T) {
	_, g := realm(t, "a wrong secret")
	_, err := g.EnsureAssociation(t.Context(), "amap", "01op")
	if !errors.Is(err, tenants.ErrRefused) {
		t.Errorf("making: %v, want ErrRefused", err)
	}
	if err := g.RemoveAssociation(t.Context(), "amap"); !errors.Is(err, tenants.ErrRefused) {
		t.Errorf("removing: %v, want ErrRefused", err)
	}
	if _, err := g.Members(t.Context(), "amap"); !errors.Is(err, tenants.ErrRefused) {
		t.Errorf("listing members: %v, want ErrRefused", err)
	}
}

func TestWithoutAnAccountOnTheRealmAnAssociationIsRefusedInWords(t *testing.T) {
	records := provisiontest.NewRecords(time.Now)
	plans := provisiontest.NewWorld(records).Plans(time.Now)
	plans.Groups = None{}
	registry, over := plans.Registry(), make(chan operations.Operation, 1)
	desk := &provision.Provisioner{Records: records, Queue: records, Registry: registry, Now: time.Now}
	op, err := desk.CreateAssociation(t.Context(), provision.Request{Principal: tenants.Local()}, provision.NewAssociation{Name: "Chorale"})
	if err != nil {
		t.Fatal(err)
	}
	runner := &operations.Runner{
		Store: records, Registry: registry, Owner: "w", Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Idle: 5 * time.Millisecond,
		Ended: func(op operations.Operation) { over <- op },
	}
	go runner.Run(t.Context())
	select {
	case <-over:
	case <-time.After(30 * time.Second):
		t.Fatal("the operation never ended")
	}
	got, err := records.Operation(t.Context(), op.ID)
	if err != nil || got.State != operations.Undone || got.Problem != string(operations.CauseRefused) {
		t.Errorf("ended %s because of %q (%v), want undone because of %q", got.State, got.Problem, err, operations.CauseRefused)
	}
}
