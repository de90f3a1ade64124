package tenants_test

import (
	"strings"
	"testing"

	"golang.org/x/net/idna"

	"chatiere/tenants"
)

// Whatever people type: a host that is accepted is a site's own, reads the same a second time and to a browser, and is what
// was typed in every letter.
func FuzzHost(f *testing.F) {
	for _, typed := range []string{
		"amap", " AMAP. ", "amap.lilas.coop", "аmap", "xn--amp-5cd", "\u212aiosque", "\u0130d", "panel", "PANEL.lilas.coop.", "a.b", "a..lilas.coop", "amap\u3002lilas.coop",
		"amap:443", "[::1]", "0x7f.1", "a\x00", "\u202eamap", "ａmap", "a--b", strings.Repeat("a", 64), strings.Repeat("a.", 130) + "lilas.coop",
	} {
		f.Add(typed)
	}
	h := tenants.Hosts{Domain: "lilas.coop", Platform: []string{"panel.lilas.coop", "tableau.lilas.coop"}}
	f.Fuzz(func(t *testing.T, typed string) {
		host, fault := h.Normalize(typed)
		if fault != nil {
			if fault.Field != "host" || fault.Code == "" || host != "" {
				t.Errorf("%q: fault %+v beside %q", typed, fault, host)
			}
			if again, _ := h.Normalize(fault.Proposal); fault.Proposal != "" && again == "" && tenants.Slugify(fault.Proposal) != fault.Proposal {
				t.Errorf("%q: the proposal %q is none", typed, fault.Proposal)
			}
			return
		}
		if again, fault := h.Normalize(host); fault != nil || again != host {
			t.Errorf("%q gives %q, which gives %q, %v", typed, host, again, fault)
		}
		label, ours := strings.CutSuffix(host, ".lilas.coop")
		if !ours || strings.Contains(label, ".") || host == "panel.lilas.coop" || host == "tableau.lilas.coop" {
			t.Errorf("%q gives %q, which is no site's", typed, host)
		}
		if plain, err := idna.Lookup.ToASCII(host); err != nil || plain != host {
			t.Errorf("%q gives %q, which browsers read as %q, %v", typed, host, plain, err)
		}
		if strings.ContainsAny(typed, "/:@?#") {
			return // pasted: more was typed than the name
		}
		seen := strings.TrimSuffix(strings.TrimSpace(typed), ".")
		if !strings.EqualFold(seen, label) && !strings.EqualFold(seen, host) || strings.ContainsFunc(seen, func(r rune) bool { return r >= 0x80 }) {
			t.Errorf("%q gives %q, which is another name", typed, host)
		}
	})
}
