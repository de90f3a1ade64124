package demo_test

import (
	"errors"
	"testing"

	"chatiere/cmd/internal/demo"
	"chatiere/tenants/keycloak"
	"chatiere/tenants/keycloak/keycloaktest"
)

func realm(t *testing.T, fake *keycloaktest.Fake, instance string) *keycloak.Client {
	t.Helper()
	c, err := keycloak.New(keycloak.Options{
		Issuer: fake.Issuer(), ClientID: keycloaktest.ClientID, Secret: keycloaktest.Secret, Instance: instance,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var camille = demo.Account{
	Person: demo.Person{Username: "camille", Password: "a-long-password", TOTPSecret: "JBSWY3DPEHPK3PXP"}, FirstName: "Camille",
	LastName: "Bénévole", Email: "camille@lilas.example", Group: "/coop/admins",
}

func ensure(t *testing.T, c *keycloak.Client, a demo.Account) keycloak.User {
	t.Helper()
	if err := (demo.Realm{Client: c}).EnsurePerson(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	user, err := c.FindUser(t.Context(), a.Username)
	if err != nil {
		t.Fatal(err)
	}
	groups, err := c.GroupsOf(t.Context(), user.ID)
	if err != nil || len(groups) != 1 || groups[0].Path != a.Group {
		t.Errorf("%s belongs to %+v, %v", a.Username, groups, err)
	}
	return user
}

func TestAnAccountOfTheSameSummaryIsKept(t *testing.T) {
	c := realm(t, keycloaktest.NewFake(t), "demo")
	if first, second := ensure(t, c, camille), ensure(t, c, camille); first.ID != second.ID {
		t.Error("the account was made anew, and everybody signed out")
	}
}

func TestAnAccountOfALostSummaryIsMadeAgain(t *testing.T) {
	for name, change := range map[string]func(*demo.Account){
		"password": func(a *demo.Account) { a.Password = "another-password" }, "one-time code": func(a *demo.Account) { a.TOTPSecret = "KRSXG5CTMVRXEZLU" },
	} {
		c := realm(t, keycloaktest.NewFake(t), "demo")
		first := ensure(t, c, camille)
		changed := camille
		change(&changed)
		if second := ensure(t, c, changed); second.ID == first.ID {
			t.Errorf("the account kept its old %s, which nobody knows any more", name)
		}
	}
}

func TestAnAccountThatIsNotOursIsLeftAlone(t *testing.T) {
	fake := keycloaktest.NewFake(t)
	other := realm(t, fake, "other")
	if _, err := other.EnsureUser(t.Context(), keycloak.Account{Username: "camille", Email: "camille@autre.example", Operation: "op"}); err != nil {
		t.Fatal(err)
	}
	if err := (demo.Realm{Client: realm(t, fake, "demo")}).EnsurePerson(t.Context(), camille); !errors.Is(err, keycloak.ErrForeign) {
		t.Errorf("got %v", err)
	}
	if user, err := other.FindUser(t.Context(), "camille"); err != nil || user.Email != "camille@autre.example" {
		t.Errorf("left is %+v, %v", user, err)
	}
}
