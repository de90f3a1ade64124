package wire_test

import (
	"context"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"chatiere/cmd/internal/wire"
	"chatiere/reverseproxy"
	"chatiere/reverseproxy/egress"
	"chatiere/templates"
	"chatiere/tenants"
)

func TestThePlatformsRoutesLeadToItsSockets(t *testing.T) {
	c := configure(t, "language: en\n")
	got := wire.PlatformRoutes(c)
	want := map[string][2]string{
		"panel.lilas.example": {"panel", "unix:" + c.Root + "/run/panel/panel.sock"},
		"id.lilas.example":    {"keycloak", "unix:" + c.Root + "/run/keycloak/keycloak.sock"},
	}
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for _, r := range got {
		if len(r.Cookies) == 0 || r.SharedDomain != "" {
			t.Errorf("%s gets all cookies of its siblings: %+v", r.Host, r)
		}
		if (want[r.Host] != [2]string{r.Site, r.Upstream}) || r.State != reverseproxy.StateServing || r.Lang != "en" {
			t.Errorf("got %+v", r)
		}
	}
}

func TestKeycloaksMetricsAndAdministrationAreNotForVisitors(t *testing.T) {
	routes := wire.PlatformRoutes(configure(t, ""))
	i := slices.IndexFunc(routes, func(r reverseproxy.Route) bool { return r.Site == "keycloak" })
	refused := func(path string) bool {
		return slices.ContainsFunc(routes[i].Refuse, func(p string) bool { return regexp.MustCompile(p).MatchString(path) })
	}
	for path, want := range map[string]bool{
		"/metrics": true, "/health": true, "/health/ready": true, "/realms/chatiere/.well-known/openid-configuration": false,
		"/admin/realms/chatiere/users": true, "/admin": true, "/admin/master/console/": true, "/ADMIN/": true,
		"/realms/master": true, "/realms/master/protocol/openid-connect/token": true, "/realms/Master/account": true,
		"/realms/metrics": false, "/healthy": false, "/administration": false, "/realms/masters": false,
		"/realms/chatiere/protocol/openid-connect/token": false, "/realms/chatiere/account/": false, "/resources/x/login/": false,
	} {
		if refused(path) != want {
			t.Errorf("%s refused: %v, want %v", path, !want, want)
		}
	}
}

func TestAnExternalRealmHasNoRouteHere(t *testing.T) {
	c := configure(t, "identity: {external: true, issuer: 'https://sso.autre.example/realms/r', client_id: lilas}\n")
	if got := wire.PlatformRoutes(c); len(got) != 1 || got[0].Site != "panel" {
		t.Errorf("got %+v", got)
	}
}

func TestAnAllowedNameWithoutAPortMeansHTTPS(t *testing.T) {
	got, err := wire.AllowedNames([]string{"api.example", "smtp.example:587", "*.cdn.example", "*.mail.example:993"})
	want := []templates.Name{
		{Name: "api.example", Ports: []int{443}}, {Name: "smtp.example", Ports: []int{587}},
		{Name: "*.cdn.example", Ports: []int{443}}, {Name: "*.mail.example", Ports: []int{993}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := wire.AllowedNames(nil); err != nil || len(got) != 0 {
		t.Errorf("of nothing: %v, %v", got, err)
	}
	if _, err := wire.AllowedNames([]string{"api.example:https"}); err == nil {
		t.Error("a port that is no number was taken")
	}
}

// granted are the wishes of every site.
type granted struct {
	list []tenants.EgressGrant
	err  error
}

func (g *granted) SiteGrants(context.Context, string) ([]tenants.EgressGrant, error) {
	return g.list, g.err
}

func TestTheCoopsNamesAndWhatWasGrantedReachTheGatewaysLists(t *testing.T) {
	known, err := wire.LoadCatalogue(configure(t, "egress: {allow: ['smtp.lilas.example:587']}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	granted := &granted{list: []tenants.EgressGrant{
		{Name: "newer.example.org", Ports: []int{443}, State: tenants.GrantGranted},
		{Name: "asked.example.org", Ports: []int{443}, State: tenants.GrantAsked},
		{Name: "older.example.org", Ports: []int{993}, State: tenants.GrantGranted},
	}}
	allowed, err := wire.AllowLists(known, granted)(t.Context(), tenants.Site{Template: "wordpress"})
	if err != nil || len(allowed) < 4 {
		t.Fatalf("got %v, %v", allowed, err)
	}
	list := egress.List{Format: 1, Site: "s7k2m9qx4p", GID: 200001, Host: "amap.lilas.example", Allow: allowed}
	if err := list.Validate(); err != nil {
		t.Error(err)
	}
	want := []egress.AllowedName{
		{Name: "smtp.lilas.example", Ports: []int{587}}, {Name: "older.example.org", Ports: []int{993}},
		{Name: "newer.example.org", Ports: []int{443}},
	}
	if last := allowed[len(allowed)-3:]; !reflect.DeepEqual(last, want) {
		t.Errorf("the list ends with %v, want %v", last, want)
	}
	if _, err := wire.AllowLists(known, granted)(t.Context(), tenants.Site{Template: "geocities"}); err == nil {
		t.Error("an unknown template may reach something")
	}
	granted.err = tenants.ErrUnavailable
	if _, err := wire.AllowLists(known, granted)(t.Context(), tenants.Site{Template: "wordpress"}); !errors.Is(err, tenants.ErrUnavailable) {
		t.Errorf("without records a list was made that leaves grants out: %v", err)
	}
}
