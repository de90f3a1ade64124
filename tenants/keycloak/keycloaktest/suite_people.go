package keycloaktest

import (
	"testing"

	"chatiere/tenants/keycloak"
)

// account makes a person for one test.
func account(t *testing.T, client *keycloak.Client) keycloak.User {
	t.Helper()
	name := unique("pers")
	return must[keycloak.User](t)(client.EnsureUser(t.Context(), keycloak.Account{
		Username: name, Email: name + "@lilas.example", FirstName: "Jeanne", LastName: "Dupont",
		Password: password, Operation: operation,
	}))
}

func membersRoundTrip(t *testing.T, open Open) {
	client, slug := open(t, "test"), unique("membres")
	must[string](t)(client.EnsureAssociation(t.Context(), slug, operation))
	group := must[keycloak.Group](t)(client.GroupByPath(t.Context(), "/assos/"+slug+"/membres"))
	person := account(t, client)

	ok(t, client.AddMember(t.Context(), person.ID, group.ID))
	ok(t, client.AddMember(t.Context(), person.ID, group.ID))
	members := must[[]keycloak.User](t)(client.Members(t.Context(), group.ID))
	if len(members) != 1 || members[0].ID != person.ID || members[0].Email != person.Email {
		t.Errorf("members %+v, want %+v alone", members, person)
	}
	groups := must[[]keycloak.Group](t)(client.GroupsOf(t.Context(), person.ID))
	if len(groups) != 1 || groups[0].Path != group.Path {
		t.Errorf("the person's groups are %+v", groups)
	}
	ok(t, client.RemoveMember(t.Context(), person.ID, group.ID))
	ok(t, client.RemoveMember(t.Context(), person.ID, group.ID))
	if left := must[[]keycloak.User](t)(client.Members(t.Context(), group.ID)); len(left) != 0 {
		t.Errorf("still members: %+v", left)
	}
	wantIs(t, client.AddMember(t.Context(), "no-such-person", group.ID), keycloak.ErrNotFound)
	ok(t, client.RemoveAssociation(t.Context(), slug))
	ok(t, client.DeleteUser(t.Context(), person.Username))
}

func accountsAreMadeOnce(t *testing.T, open Open) {
	client := open(t, "test")
	person := account(t, client)
	if person.Instance != "test" || person.Operation != operation || !person.Enabled || person.FirstName != "Jeanne" {
		t.Errorf("made %+v", person)
	}
	again := must[keycloak.User](t)(client.EnsureUser(t.Context(), keycloak.Account{Username: person.Username, Email: "x@lilas.example"}))
	if again != person {
		t.Errorf("the second time %+v, want %+v", again, person)
	}
	byAddress := must[keycloak.User](t)(client.FindUser(t.Context(), person.Email))
	if byAddress != person {
		t.Errorf("by address %+v, want %+v", byAddress, person)
	}
	ok(t, client.Logout(t.Context(), person.ID))
	wantIs(t, open(t, "other").DeleteUser(t.Context(), person.Username), keycloak.ErrForeign)
	ok(t, client.DeleteUser(t.Context(), person.Username))
	ok(t, client.DeleteUser(t.Context(), person.Username))
	_, err := client.FindUser(t.Context(), person.Username)
	wantIs(t, err, keycloak.ErrNotFound)
}

func addressesAreUnique(t *testing.T, open Open) {
	client := open(t, "test")
	person := account(t, client)
	_, err := client.EnsureUser(t.Context(), keycloak.Account{Username: unique("autre"), Email: person.Email, Password: password})
	wantIs(t, err, keycloak.ErrConflict)
	ok(t, client.DeleteUser(t.Context(), person.Username))
}

func weakPasswordsAreRefused(t *testing.T, open Open) {
	client := open(t, "test")
	person := account(t, client)
	for _, weak := range []keycloak.Secret{"azertyazerty", "AzertyAzerty", "court", keycloak.Secret(person.Email)} {
		wantIs(t, client.SetPassword(t.Context(), person.ID, weak, false), keycloak.ErrWeakPassword)
	}
	ok(t, client.SetPassword(t.Context(), person.ID, "cheval agrafe pile exact", true))
	ok(t, client.DeleteUser(t.Context(), person.Username))

	name := unique("faible")
	_, err := client.EnsureUser(t.Context(), keycloak.Account{Username: name, Email: name + "@lilas.example", Password: "azertyazerty"})
	wantIs(t, err, keycloak.ErrWeakPassword)
	_, err = client.FindUser(t.Context(), name)
	wantIs(t, err, keycloak.ErrNotFound)
}

func absenceIsToldApart(t *testing.T, open Open) {
	client := open(t, "test")
	_, err := client.GroupByPath(t.Context(), "/assos/"+unique("rien"))
	wantIs(t, err, keycloak.ErrNotFound)
	_, err = client.FindUser(t.Context(), unique("personne"))
	wantIs(t, err, keycloak.ErrNotFound)
	wantIs(t, client.Logout(t.Context(), "no-such-person"), keycloak.ErrNotFound)
	wantIs(t, client.SetPassword(t.Context(), "no-such-person", password, false), keycloak.ErrNotFound)
	ok(t, client.Ping(t.Context()))
}
