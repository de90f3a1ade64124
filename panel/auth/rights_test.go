package auth_test

import (
	"errors"
	"maps"
	"testing"
	"time"

	"chatiere/panel/auth"
	"chatiere/tenants"
	"chatiere/tenants/identity"
	"chatiere/tenants/identity/identitytest"
)

// rightsOf signs somebody in and returns the rights of the session.
func (p *porch) rightsOf(t *testing.T, person identitytest.Claims) tenants.Principal {
	t.Helper()
	return p.signedIn(t, person).Session.Principal()
}

// Paths as our Keycloak writes them: a slash in a name becomes "~/".
func TestAGroupWithASlashInItsNameGivesNoRight(t *testing.T) {
	p := newPorch(t)
	for _, path := range []string{
		"/coop~/admins", "/assos~/lilas~/gestion", "/assos/lilas~/gestion", "/assos~/lilas/gestion", "/assos/lilas~/x/gestion",
		"/assos/x~/lilas/gestion", "/assos/Lilas/gestion", "/assos//gestion", "/assos/lilas/gestion/x", "coop/admins", "/coop/admins/x",
	} {
		got := p.rightsOf(t, identitytest.Person("max", "Max", path))
		if got.CoopAdmin || len(got.Memberships) != 0 {
			t.Errorf("%s gives %+v", path, got)
		}
	}
}

// On a realm of which nobody knows whether it escapes slashes, paths give nothing, whatever they say.
func TestWithoutASourceOfRightsNobodyHasAny(t *testing.T) {
	for _, from := range []identity.RightsFrom{identity.RightsNone, "something new"} {
		p := newPorchFrom(t, from)
		got := p.rightsOf(t, identitytest.Person("ana", "Ana", "/coop/admins", "/assos/lilas/gestion"))
		if got.CoopAdmin || len(got.Memberships) != 0 {
			t.Errorf("rights from %q: %+v", from, got)
		}
	}
}

func TestRightsFromRolesAreThoseOfThePanelsClient(t *testing.T) {
	p := newPorchFrom(t, identity.RightsRoles)
	person := func(client string, roles ...string) identitytest.Claims {
		c := identitytest.Person("lea", "Léa", "/coop/admins", "/assos/roses/gestion")
		c["resource_access"] = map[string]any{client: map[string]any{"roles": roles}}
		return c
	}
	if got := p.rightsOf(t, person("another", "coop-admins", "gestion:lilas")); got.CoopAdmin || len(got.Memberships) != 0 {
		t.Errorf("another client's roles give %+v", got)
	}
	got := p.rightsOf(t, person(p.issuer.ClientID, "coop-admins", "gestion:lilas", "membres:lilas", "membres:tulipes", "gestion:", "gestion:A/b", "x"))
	want := map[string]tenants.Role{"lilas": tenants.RoleManager, "tulipes": tenants.RoleMember}
	if !got.CoopAdmin || !maps.Equal(got.Memberships, want) {
		t.Errorf("got %+v, want an admin with %v", got, want)
	}
}

// The worker knows groups by their ids; what it copied counts, and what the token says of groups does not.
func TestRightsFromTheDirectoryAreTheWorkersCopy(t *testing.T) {
	p := newPorchFrom(t, identity.RightsDirectory)
	forged := identitytest.Person("max", "Max", "/coop/admins", "/assos/lilas/gestion")
	if got := p.rightsOf(t, forged); got.CoopAdmin || len(got.Memberships) != 0 {
		t.Errorf("somebody new has %+v", got)
	}
	copied := tenants.Member{Subject: "max", Memberships: map[string]tenants.Role{"lilas": tenants.RoleMember}}
	if err := p.store.SaveMember(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	a := p.signedIn(t, forged)
	if got := a.Session.Principal(); got.CoopAdmin || got.RoleIn("lilas") != tenants.RoleMember {
		t.Errorf("after the worker's reading: %+v", got)
	}
	if err := p.store.SaveMember(t.Context(), tenants.Member{Subject: "max"}); err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(6 * time.Minute)
	v, err := p.resolve(t, a.Cookie)
	if got := v.Session.Principal(); err != nil || v.Stale || got.RoleIn("lilas") != "" {
		t.Errorf("after leaving: %+v, stale %v, %v", got, v.Stale, err)
	}
	if m, err := p.store.Person(t.Context(), "max"); err != nil || len(m.Memberships) != 0 {
		t.Errorf("the copy became %+v, %v", m, err)
	}
}

func TestACopyThatIsTooOldMakesSessionsStaleAndSignInsWait(t *testing.T) {
	p := newPorchFrom(t, identity.RightsDirectory)
	a := p.signedIn(t, lea)
	p.store.SetRightsAge(11*time.Minute, true)
	p.clock.Advance(6 * time.Minute)
	for range 2 {
		if v, err := p.resolve(t, a.Cookie); err != nil || !v.Stale {
			t.Errorf("session: stale %v, %v", v.Stale, err)
		}
	}
	d := p.begin(t, auth.Start{})
	if _, err := p.signIn.Finish(t.Context(), answer(p.issuer.Approve(t, d.URL, lea), d.Binding)); !errors.Is(err, tenants.ErrUnavailable) {
		t.Errorf("signing in: %v, want unavailable", err)
	}
	p.store.SetRightsAge(time.Minute, true)
	if v, err := p.resolve(t, a.Cookie); err != nil || v.Stale {
		t.Errorf("once the copy is fresh: stale %v, %v; the way to ask again was lost", v.Stale, err)
	}
}
