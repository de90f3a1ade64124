package hostname_test

import (
	"strings"
	"testing"

	"chatiere/reverseproxy/hostname"
)

func TestPublicNamesHaveTwoLabelsAndAreNoAddress(t *testing.T) {
	for name, want := range map[string]string{
		"Demo.Lilas.example.": "demo.lilas.example", "a.b": "a.b", "localhost": "", "127.0.0.1": "", "10.1": "", "0x7f.0x1": "", "1.a": "1.a", "a.b:443": "",
	} {
		if got, ok := hostname.Public(name); got != want || ok != (want != "") {
			t.Errorf("%q gives %q, %v, want %q", name, got, ok, want)
		}
	}
}

func FuzzFromAuthority(f *testing.F) {
	for _, seed := range []string{"demo.lilas.test:8443", "A.B.", "xn--caf-dma.test", "[::1]:80", "a..b", "a:b:c", "é", "a@b", "-a", "a\x00", "demo.lilas.test..", "\u212a.test", "demo.lilas.test:", "demo.lilas.test:+1", "a.b:443:1", strings.Repeat("a.", 127)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, authority string) {
		host, ok := hostname.FromAuthority(authority)
		if !ok {
			return
		}
		if again, ok := hostname.Canonical(host); !ok || again != host {
			t.Errorf("%q gives %q, which gives %q, %v", authority, host, again, ok)
		}
		if name, _, _ := strings.Cut(authority, ":"); !strings.EqualFold(strings.TrimSuffix(name, "."), host) || strings.ContainsFunc(authority, func(r rune) bool { return r >= 0x80 }) {
			t.Errorf("%q gives %q, which is another name", authority, host)
		}
		if strings.ToLower(host) != host || strings.ContainsAny(host, ":/@[]% \x00") || strings.HasSuffix(host, ".") {
			t.Errorf("%q gives %q", authority, host)
		}
	})
}
