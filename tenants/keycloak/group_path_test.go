package keycloak_test

import (
	"errors"
	"slices"
	"testing"

	"chatiere/tenants/keycloak"
	"chatiere/tenants/keycloak/keycloaktest"
)

// Whoever may make groups may call one "coop/admins": its path reads like that of the co-op's own.
func TestAGroupWithSlashesInItsNameIsFoundUnderNoPath(t *testing.T) {
	for _, path := range []string{"/coop/admins", "/assos/amap/gestion"} {
		for _, forged := range []struct{ below, name string }{
			{"", path[1:]}, {"", "assos/amap"}, {"/assos", "amap/gestion"},
		} {
			fake := keycloaktest.NewFake(t)
			client := fakeClient(t, fake, "test")
			if _, err := client.EnsureGroupPath(t.Context(), "/assos", "op"); err != nil {
				t.Fatal(err)
			}
			fake.AddGroup(forged.below, forged.name)
			fake.AddGroup("/assos/amap", "gestion") // below the forged one where that is called so
			if got, err := client.GroupByPath(t.Context(), path); !errors.Is(err, keycloak.ErrNotFound) {
				t.Errorf("%q below %q is found as %s: %+v, %v", forged.name, forged.below, path, got, err)
			}
			real, err := client.EnsureGroupPath(t.Context(), path, "op")
			if err != nil || real.Instance != "test" {
				t.Errorf("beside %q, %s is %+v, %v; want one of ours", forged.name, path, real, err)
			}
		}
	}
}

func TestWhetherSlashesAreEscapedIsTriedAndLeavesNothing(t *testing.T) {
	for _, escapes := range []bool{true, false} {
		fake := keycloaktest.NewFake(t)
		client := fakeClient(t, fake, "test")
		fake.EscapeSlashes = escapes
		for range 2 {
			if got, err := client.EscapesSlashes(t.Context()); err != nil || got != escapes {
				t.Errorf("a realm that escapes %v: %v, %v", escapes, got, err)
			}
		}
		if left := fake.GroupNames(); !slices.Equal(left, nil) {
			t.Errorf("left over: %v", left)
		}
		fake.AddGroup("", "chatiere/escape") // somebody else's
		if got, err := client.EscapesSlashes(t.Context()); err != nil || got != escapes || len(fake.GroupNames()) != 1 {
			t.Errorf("beside somebody else's group: %v, %v, left %v", got, err, fake.GroupNames())
		}
	}
}
