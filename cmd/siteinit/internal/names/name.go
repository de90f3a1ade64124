package names

import "strings"

// Canonical returns a host name in the form under which the gateway knows it:
// lower case, no final dot. It says false for what cannot be a public host
// name: one label, an address, a character outside letters, digits, hyphen.
func Canonical(name string) (string, bool) {
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
	// A last label that begins with a digit makes an address of it ("10.1",
	// "0x7f.1") for some libraries; no such top-level domain exists.
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
