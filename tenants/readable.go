package tenants

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Readable reports whether a name people write shows as it is written: valid text, without control signs and without those
// that turn the direction of what follows, which would let a name speak for its neighbours on the page.
func Readable(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsFunc(name, unseen)
}

func unseen(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

// Visible returns a name without what keeps it from being readable.
func Visible(name string) string {
	return strings.Map(func(r rune) rune {
		if unseen(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
}
