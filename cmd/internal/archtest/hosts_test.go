package archtest_test

import (
	"testing"

	"chatiere/reverseproxy/hostname"
	"chatiere/tenants"
)

// The rooms may not share code, so each has its own way from what is typed or sent to a host name. This table shows where
// they differ on purpose: machines' names are compared as they are, in ASCII; a site's own host is never guessed; a name
// that a site wants to reach may be typed in any letters, and is then what a browser would ask a resolver for. Whatever a
// person's input becomes, the proxy and the gateway know it under that very name.
func TestHostNamesMeanTheSameInEveryRoom(t *testing.T) {
	hosts, reachable := tenants.Hosts{Domain: "lilas.example"}, tenants.NamePolicy{}
	const refused = ""
	for _, c := range []struct{ input, authority, canonical, public, site, reach string }{
		{"Amap.Lilas.Example", "amap.lilas.example", "amap.lilas.example", "amap.lilas.example", "amap.lilas.example", "amap.lilas.example"},
		{"amap.lilas.example.", "amap.lilas.example", "amap.lilas.example", "amap.lilas.example", "amap.lilas.example", "amap.lilas.example"},
		{"amap.lilas.example..", refused, refused, refused, refused, refused},
		{"amap.lilas.example:8443", "amap.lilas.example", refused, refused, "amap.lilas.example", "amap.lilas.example"},
		{"amap.lilas.example:http", refused, refused, refused, refused, refused},
		{"https://amap.lilas.example/page", refused, refused, refused, "amap.lilas.example", "amap.lilas.example"},
		{" amap ", refused, refused, refused, "amap.lilas.example", refused},
		{"amap", "amap", "amap", refused, "amap.lilas.example", refused},
		{"\u212aiosque.lilas.example", refused, refused, refused, refused, "kiosque.lilas.example"},
		{"café.example", refused, refused, refused, refused, "xn--caf-dma.example"},
		{"xn--caf-dma.example", "xn--caf-dma.example", "xn--caf-dma.example", "xn--caf-dma.example", refused, "xn--caf-dma.example"},
		{"xn--caf-dma.lilas.example", "xn--caf-dma.lilas.example", "xn--caf-dma.lilas.example", "xn--caf-dma.lilas.example", refused, "xn--caf-dma.lilas.example"},
		{"amap\u3002lilas\u3002example", refused, refused, refused, refused, "amap.lilas.example"},
		{"a_b.lilas.example", refused, refused, refused, refused, refused},
		{"-a.lilas.example", refused, refused, refused, refused, refused},
		{"127.0.0.1", "127.0.0.1", "127.0.0.1", refused, refused, refused},
		{"10.1", "10.1", "10.1", refused, refused, refused},
		{"[::1]:443", refused, refused, refused, refused, refused},
		{"localhost", "localhost", "localhost", refused, refused, refused},
		{"", refused, refused, refused, refused, refused},
		{".", refused, refused, refused, refused, refused},
	} {
		authority, _ := hostname.FromAuthority(c.input)
		canonical, _ := hostname.Canonical(c.input)
		public, _ := hostname.Public(c.input)
		site, _ := hosts.Normalize(c.input)
		reach, _ := reachable.Normalize(c.input)
		for way, got := range map[string][2]string{
			"authority": {authority, c.authority}, "canonical": {canonical, c.canonical}, "public": {public, c.public}, "site": {site, c.site}, "reach": {reach, c.reach},
		} {
			if got[0] != got[1] {
				t.Errorf("%q as %s: %q, want %q", c.input, way, got[0], got[1])
			}
		}
		for _, name := range []string{site, reach} {
			if same, ok := hostname.Public(name); name != "" && (!ok || same != name) {
				t.Errorf("%q became %q, which the gateway knows as %q", c.input, name, same)
			}
		}
	}
}
