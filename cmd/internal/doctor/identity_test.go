package doctor_test

import (
	"strings"
	"testing"

	"chatiere/panel/api"
)

func TestARealmWithoutAnAccountOfOursIsAmber(t *testing.T) {
	d := well(t)
	d.Identity = nil
	got := examine(t, d)["keycloak"]
	if got.State != api.CheckAmber || !strings.Contains(got.Found, "associations cannot be created") || !strings.Contains(got.Advice, "identity.admin_client_id") {
		t.Errorf("got %+v", got)
	}
}
