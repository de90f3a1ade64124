package keycloaktest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"chatiere/tenants/keycloak"
)

// Open makes a client of the realm under test that marks what it makes with instance.
type Open func(t *testing.T, instance string) *keycloak.Client

const (
	operation = "01JDTESTOPERATION00000000"
	password  = keycloak.Secret("trois canards sous la pluie")
)

// Suite is what package keycloak promises, on whatever realm open leads to.
func Suite(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"group paths are made once and marked":         groupsAreMarked,
		"only marked associations are deleted":         deletionIsNarrow,
		"slashes in names are escaped":                 slashesAreEscaped,
		"listings go beyond one page":                  listingsArePaged,
		"an association comes and goes as a whole":     associationRoundTrip,
		"members are added and removed repeatably":     membersRoundTrip,
		"accounts are made once":                       accountsAreMadeOnce,
		"an address belongs to one account":            addressesAreUnique,
		"weak passwords are told apart":                weakPasswordsAreRefused,
		"what is not there is told apart":              absenceIsToldApart,
		"the realm is brought to what is wanted, once": realmIsEnsured,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

// unique makes a name that no earlier run has used.
func unique(prefix string) string { return prefix + "-" + strings.ToLower(rand.Text()[:8]) }

func wantIs(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error is %v, want %v", err, target)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func groupsAreMarked(t *testing.T, open Open) {
	client, path := open(t, "test"), "/assos/"+unique("marque")
	made := must[keycloak.Group](t)(client.EnsureGroupPath(t.Context(), path+"/gestion", operation))
	if made.Path != path+"/gestion" || made.Instance != "test" || made.Operation != operation {
		t.Errorf("made %+v", made)
	}
	again := must[keycloak.Group](t)(client.EnsureGroupPath(t.Context(), path+"/gestion", "another"))
	if again != made {
		t.Errorf("the second time %+v, want %+v", again, made)
	}
	above := must[keycloak.Group](t)(client.GroupByPath(t.Context(), path))
	if above.Operation != operation {
		t.Errorf("the group above bears operation %q", above.Operation)
	}
	for _, bad := range []string{"", "assos", "/assos/", "/assos/../coop", "/assos/Majuscule", "/assos/a b"} {
		_, err := client.EnsureGroupPath(t.Context(), bad, operation)
		wantIs(t, err, keycloak.ErrPath)
	}
	ok(t, client.DeleteGroup(t.Context(), path))
}

func deletionIsNarrow(t *testing.T, open Open) {
	client, other := open(t, "test"), open(t, "other")
	path := "/assos/" + unique("etroit")
	must[keycloak.Group](t)(client.EnsureGroupPath(t.Context(), path+"/membres", operation))
	for _, outside := range []string{"/coop/admins", "/coop", "/assos", path + "/membres", path + "/", "/assos//x", ""} {
		wantIs(t, client.DeleteGroup(t.Context(), outside), keycloak.ErrPath)
	}
	wantIs(t, other.DeleteGroup(t.Context(), path), keycloak.ErrForeign)
	must[keycloak.Group](t)(client.GroupByPath(t.Context(), path+"/membres"))

	ok(t, client.DeleteGroup(t.Context(), path))
	_, err := client.GroupByPath(t.Context(), path+"/membres")
	wantIs(t, err, keycloak.ErrNotFound)
	ok(t, client.DeleteGroup(t.Context(), path))
}

// slashesAreEscaped holds for our own Keycloak, whose panel takes rights from paths.
func slashesAreEscaped(t *testing.T, open Open) {
	if escapes := must[bool](t)(open(t, "test").EscapesSlashes(t.Context())); !escapes {
		t.Error("a slash in a group's name reads like a step of its path")
	}
}

func listingsArePaged(t *testing.T, open Open) {
	const many = 103
	client, path := open(t, "test"), "/assos/"+unique("pages")
	root := must[keycloak.Group](t)(client.EnsureGroupPath(t.Context(), path, operation))
	for i := range many {
		must[keycloak.Group](t)(client.EnsureGroupPath(t.Context(), fmt.Sprintf("%s/g%03d", path, i), operation))
	}
	children := must[[]keycloak.Group](t)(client.Children(t.Context(), root.ID))
	if len(children) != many {
		t.Errorf("%d children, want %d", len(children), many)
	}
	tree := must[[]keycloak.Group](t)(client.Tree(t.Context(), path))
	if len(tree) != many || tree[0].Instance != "test" {
		t.Errorf("%d groups in the tree, want %d, marked", len(tree), many)
	}
	ok(t, client.DeleteGroup(t.Context(), path))
	if gone := must[[]keycloak.Group](t)(client.Tree(t.Context(), path)); len(gone) != 0 {
		t.Errorf("a tree that is gone has %d groups", len(gone))
	}
}

func associationRoundTrip(t *testing.T, open Open) {
	client, slug := open(t, "test"), unique("asso")
	id := must[string](t)(client.EnsureAssociation(t.Context(), slug, operation))
	again := must[string](t)(client.EnsureAssociation(t.Context(), slug, operation))
	found, complete, err := client.AssociationExists(t.Context(), slug)
	if err != nil || !complete || found != id || again != id || id == "" {
		t.Errorf("made %q, then %q; found %q, complete %v, error %v", id, again, found, complete, err)
	}
	var paths []string
	for _, group := range must[[]keycloak.Group](t)(client.Tree(t.Context(), "/assos/"+slug)) {
		paths = append(paths, group.Path)
	}
	slices.Sort(paths)
	if want := []string{"/assos/" + slug + "/gestion", "/assos/" + slug + "/membres"}; !slices.Equal(paths, want) {
		t.Errorf("groups %v, want %v", paths, want)
	}
	ok(t, client.RemoveAssociation(t.Context(), slug))
	ok(t, client.RemoveAssociation(t.Context(), slug))
	if _, complete, err := client.AssociationExists(t.Context(), slug); complete || err != nil {
		t.Errorf("after removal: complete %v, error %v", complete, err)
	}
	wantIs(t, client.RemoveAssociation(t.Context(), "../coop"), keycloak.ErrPath)
}
