package egress

import (
	"net/netip"
	"strings"
)

const wildcard = "*."

// canonical returns a host name in lower case without its final dot, or false
// for what cannot be one: at least two labels of letters, digits and hyphens
// (international names in punycode), and a last label no address can have.
func canonical(name string) (string, bool) {
	if !ascii(name) {
		return "", false // some letters from elsewhere have an ASCII one as their small form, such as the Kelvin sign
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if len(name) > 253 || !strings.Contains(name, ".") {
		return "", false
	}
	last := ""
	for label := range strings.SplitSeq(name, ".") {
		if !validLabel(label) {
			return "", false
		}
		last = label
	}
	return name, last[0] < '0' || last[0] > '9'
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func validLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for i := range len(label) {
		c := label[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

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
