package relay

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// Mask leaves of an address its first letter and its domain: enough for those
// who sent a mail to know which, and little for everybody else.
func Mask(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return "…"
	}
	first, size := utf8.DecodeRuneInString(address[:at])
	if first == utf8.RuneError || size == at {
		return "…" + address[at:] // a single letter would be the whole of it
	}
	return string(first) + "…" + address[at:]
}

var anyAddress = regexp.MustCompile(`[^\s<>()\[\]:;,"'@=]+@[^\s<>()\[\]:;,"'@=]+`)

// maxReply bounds the smarthost's words, in characters.
const maxReply = 300

// masked is a server's answer on one line with the addresses in it masked.
func masked(said string) string {
	said = strings.Join(strings.FieldsFunc(said, func(r rune) bool { return r <= ' ' || r == 0x7f || r == utf8.RuneError }), " ")
	return cut(anyAddress.ReplaceAllStringFunc(said, Mask), maxReply)
}
