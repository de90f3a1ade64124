package tenants_test

import (
	"testing"

	"chatiere/tenants"
)

func TestNamesShowAsTheyAreWritten(t *testing.T) {
	for name, want := range map[string]bool{
		"Théâtre du Lac": true, "L’Œuvre d’été 🐈": true, "日本": true, "نادي": true, "": true,
		"a\x00b": false, "a\nb": false, "a\x7fb": false, "a\u0085b": false, "\xff": false,
		"panel\u202egnp.lasrever": false, "a\u2066b": false, "a\u200fb": false,
	} {
		if got := tenants.Readable(name); got != want {
			t.Errorf("Readable(%q) = %t", name, got)
		}
	}
}
