// Package hostname has the one form in which the proxy and the gateway compare host names. It does not know which names
// exist or who may have them.
package hostname

import "strings"

const (
	maxName  = 253
	maxLabel = 63
)

// Canonical returns a name in lower case without its final dot. It accepts labels of ASCII letters, digits and hyphens
// alone: names in other letters come as punycode, and some of those letters, such as the Kelvin sign, would have an ASCII
// one as their lower case.
func Canonical(name string) (string, bool) {
	name = strings.TrimSuffix(name, ".")
	lower, ok := check(name)
	switch {
	case !ok:
		return "", false
	case lower:
		return name, true
	}
	return strings.ToLower(name), true
}

// FromAuthority is Canonical for what a Host header, an HTTP/2 authority or a TLS server name holds: a port may follow.
// Addresses in brackets and user names are refused.
func FromAuthority(authority string) (string, bool) {
	name, port, found := strings.Cut(authority, ":")
	if found && (len(port) > 5 || strings.Trim(port, "0123456789") != "") {
		return "", false
	}
	return Canonical(name)
}

// Public is Canonical for names that a public server can have: two labels at least, and a last one with which no address
// begins ("10.1" and "0x7f.1" are addresses to some libraries; no such top-level domain exists).
func Public(name string) (string, bool) {
	name, ok := Canonical(name)
	dot := strings.LastIndexByte(name, '.')
	if !ok || dot < 0 || name[dot+1] >= '0' && name[dot+1] <= '9' {
		return "", false
	}
	return name, true
}

// check reports whether a name consists of sound labels, and whether it is in lower case already.
func check(name string) (lower, ok bool) {
	if name == "" || len(name) > maxName {
		return false, false
	}
	lower = true
	start := 0
	for i := 0; i <= len(name); i++ {
		if i == len(name) || name[i] == '.' {
			if !checkLabel(name[start:i]) {
				return false, false
			}
			start = i + 1
			continue
		}
		if name[i] >= 'A' && name[i] <= 'Z' {
			lower = false
		}
	}
	return lower, true
}

func checkLabel(label string) bool {
	if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for i := range len(label) {
		c := label[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
