package doctor_test

import (
	"strings"
	"testing"

	"chatiere/panel/api"
)

func TestRightsThatANameCouldForgeAreRed(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		from    string
		escapes *bool
		state   api.CheckState
		found   string
	}{
		{"groups", &yes, api.CheckGreen, "escaped"}, {"groups", nil, api.CheckGreen, "escaped"}, {"groups", &no, api.CheckRed, "coop/admins"},
		{"directory", nil, api.CheckGreen, "ids"}, {"roles", nil, api.CheckGreen, "roles"}, {"", nil, api.CheckRed, "nobody has any"},
	} {
		d := well(t)
		d.Rights, d.Escapes = c.from, func() *bool { return c.escapes }
		if got := examine(t, d)["rights"]; got.State != c.state || !strings.Contains(got.Found, c.found) || got.State == api.CheckRed && got.Advice == "" {
			t.Errorf("rights from %q: %+v", c.from, got)
		}
	}
}

func TestADomainThatEveryAssociationMayWriteFromIsAmber(t *testing.T) {
	d := well(t)
	d.Senders, d.Own = []string{"lilas.example", "amap.example"}, []string{"lilas.example"}
	got := examine(t, d)["mail.senders"]
	if got.State != api.CheckAmber || !strings.Contains(got.Found, "[amap.example]") || !strings.Contains(got.Advice, "<slug>/amap.example") {
		t.Errorf("got %+v", got)
	}
}

func TestARealmWithoutAnAccountOfOursIsAmber(t *testing.T) {
	d := well(t)
	d.Identity = nil
	got := examine(t, d)["keycloak"]
	if got.State != api.CheckAmber || !strings.Contains(got.Found, "associations cannot be created") || !strings.Contains(got.Advice, "identity.admin_client_id") {
		t.Errorf("got %+v", got)
	}
}
