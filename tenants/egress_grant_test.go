package tenants_test

import (
	"slices"
	"strings"
	"testing"

	"chatiere/tenants"
)

var reachable = tenants.NamePolicy{Platform: []string{"panel.lilas.coop", "id.lilas.coop"}}

func TestNamesPeopleTypeBecomeNamesListsHave(t *testing.T) {
	for typed, want := range map[string]string{
		"api.example.org":                        "api.example.org",
		" API.Example.org. ":                     "api.example.org",
		"https://api.example.org:8443/v1?x=1":    "api.example.org",
		"//lea@api.example.org:8443":             "api.example.org",
		"api.example.org/v1":                     "api.example.org",
		"*.example.org":                          "*.example.org",
		"café-des-lilas.fr":                      "xn--caf-des-lilas-dhb.fr",
		"*.bücher.example":                       "*.xn--bcher-kva.example",
		"xn--bcher-kva.example":                  "xn--bcher-kva.example",
		"a.b.c.d.e.example.org":                  "a.b.c.d.e.example.org",
		"atelier.lilas.coop":                     "atelier.lilas.coop",
		"standin.chatiere.test":                  "standin.chatiere.test",
		strings.Repeat("a", 63) + ".example.org": strings.Repeat("a", 63) + ".example.org",
		"ｆｕｌｌｗｉｄｔｈ．ｅｘａｍｐｌｅ":                      "fullwidth.example",
	} {
		if got, fault := reachable.Normalize(typed); fault != nil || got != want {
			t.Errorf("%q: %q, %+v; want %q", typed, got, fault, want)
		}
	}
}

func TestNamesThatNoListCanHaveAreRefusedByTheirReason(t *testing.T) {
	for typed, want := range map[string]string{
		"": "missing", " ": "missing", "https:///": "missing",
		"192.0.2.1": "address", "10.1": "address", "0x7f.1": "address", "[2001:db8::1]": "address", "2001:db8::1": "address",
		"http://169.254.169.254/latest": "address", "*.10.0.0.1": "address", "2130706433": "address", "１９２.０.２.１": "address",
		"localhost": "local", "a.localhost": "local", "printer.local": "local", "db.internal": "local", "1.0.0.127.in-addr.arpa": "local",
		"org": "malformed", "a..b": "malformed", "-a.example": "malformed", "a_b.example.org": "malformed", "a b.example.org": "malformed",
		"*example.org": "malformed", "*.*.example.org": "malformed", "a.*.example.org": "malformed", "exa\x00mple.org": "malformed",
		strings.Repeat("a", 64) + ".org": "malformed", strings.Repeat("a.", 130) + "org": "malformed",
		"panel.lilas.coop": "reserved", "ID.lilas.coop.": "reserved", "*.lilas.coop": "reserved",
		"*.org": "malformed", "*.co.uk": "too_wide", "*.github.io": "too_wide",
	} {
		got, fault := reachable.Normalize(typed)
		if fault == nil || fault.Code != want || fault.Field != "name" {
			t.Errorf("%q: %q, %+v; want %s", typed, got, fault, want)
		}
	}
}

func TestPortsAreOrderedAndThoseOfTheRelayRefused(t *testing.T) {
	if got, fault := tenants.NormalizePorts([]int{587, 443, 587}); fault != nil || !slices.Equal(got, []int{443, 587}) {
		t.Errorf("%v, %+v", got, fault)
	}
	for code, ports := range map[string][]int{
		"missing": nil, "malformed": {0, 443}, "mail": {443, 25}, "inside": {53}, "too_many": {1, 2, 3, 4, 5, 6, 7, 8, 9},
	} {
		if _, fault := tenants.NormalizePorts(ports); fault == nil || fault.Code != code {
			t.Errorf("%v: %+v, want %s", ports, fault, code)
		}
	}
	if _, fault := tenants.NormalizePorts([]int{70000}); fault == nil || fault.Code != "malformed" {
		t.Errorf("%+v", fault)
	}
}

func TestAReasonIsOneTidyText(t *testing.T) {
	if got, fault := tenants.NormalizeReason("  pour la\r\n\tcarte "); fault != nil || got != "pour la carte" {
		t.Errorf("%q, %+v", got, fault)
	}
	for code, text := range map[string]string{"missing": " \n", "malformed": "a\u202eb", "too_long": strings.Repeat("é", tenants.MaxAccessReason+1)} {
		if _, fault := tenants.NormalizeReason(text); fault == nil || fault.Code != code {
			t.Errorf("%q: %+v, want %s", text, fault, code)
		}
	}
}

func FuzzReachable(f *testing.F) {
	f.Add("https://café.example/")
	f.Add("*.xn--bcher-kva.example")
	f.Fuzz(func(t *testing.T, typed string) {
		name, fault := reachable.Normalize(typed)
		if fault != nil {
			return
		}
		if again, fault := reachable.Normalize(name); fault != nil || again != name {
			t.Errorf("%q became %q, which becomes %q, %+v", typed, name, again, fault)
		}
		if strings.ToLower(name) != name || len(name) > 255 || !strings.Contains(name, ".") {
			t.Errorf("%q became %q", typed, name)
		}
	})
}
