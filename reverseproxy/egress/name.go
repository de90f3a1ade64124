package egress

import (
	"net/netip"
	"strings"
)

const wildcard = "*."

// isAddress tells whether text is an address in one of the forms that libraries
// read: dotted or not, decimal, octal or hexadecimal, IPv6.
func isAddress(text string) bool {
	if _, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return true
	}
	text = strings.TrimSuffix(text, ".")
	last := text[strings.LastIndexByte(text, '.')+1:]
	return last != "" && last[0] >= '0' && last[0] <= '9'
}

// matches tells whether a pattern of a list covers a canonical name. A wildcard
// covers every name below, however deep, and not the name itself.
func matches(pattern, name string) bool {
	if below, ok := strings.CutPrefix(pattern, wildcard); ok {
		return strings.HasSuffix(name, "."+below)
	}
	return pattern == name
}
