package tenants

import (
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// reservedLabels are first labels of the sites' domain that belong to the platform or that people take for it.
var reservedLabels = map[string]bool{
	"panel": true, "id": true, "www": true, "mail": true, "smtp": true, "imap": true, "ftp": true, "admin": true, "api": true,
	"ns": true, "ns1": true, "ns2": true, "mx": true, "webmail": true, "status": true, "stats": true, "matomo": true,
	"static": true, "cdn": true, "auth": true, "login": true, "keycloak": true, "localhost": true, "autoconfig": true,
	"autodiscover": true, "postmaster": true, "abuse": true, "root": true, "chatiere": true,
}

// Hosts knows which host names sites may take below the co-op's domain.
type Hosts struct {
	Domain   string   // such as "lilas.coop"
	Platform []string // full names the platform itself answers at
}

// Normalize returns the full lower-case host name for what a person typed: a bare label gets the co-op's domain,
// a trailing dot goes, and of a pasted address the host counts. The fault's code is "missing", "malformed", "too_long", "foreign" (outside the domain) or
// "reserved". Nothing but ASCII is taken, in letters or as punycode: a neighbour's name in other letters is refused.
func (h Hosts) Normalize(typed string) (string, *Fault) {
	name := strings.TrimSuffix(lower(hostTyped(typed)), ".")
	if name == "" {
		return "", &Fault{Field: "host", Code: "missing"}
	}
	if !strings.Contains(name, ".") {
		name += "." + h.Domain
	}
	label, under := strings.CutSuffix(name, "."+h.Domain)
	if !under {
		return "", &Fault{Field: "host", Code: "foreign", Proposal: Slugify(strings.SplitN(name, ".", 2)[0])}
	}
	if len(label) > maxLabel || len(name) > maxHost {
		return "", &Fault{Field: "host", Code: "too_long", Proposal: Slugify(label)}
	}
	if !validLabel(label) {
		return "", &Fault{Field: "host", Code: "malformed", Proposal: Slugify(label)}
	}
	if reservedLabels[label] || h.platform(name) {
		return "", &Fault{Field: "host", Code: "reserved"}
	}
	return name, nil
}

// lower changes ASCII alone: the small form of some letters from elsewhere, such as the Kelvin sign, is an ASCII one.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// platform reports whether a site at name would share cookies or its address with the platform: it is one of the
// platform's hosts, or above one.
func (h Hosts) platform(name string) bool {
	for _, p := range h.Platform {
		if p == name || strings.HasSuffix(p, "."+name) {
			return true
		}
	}
	return false
}

// Propose returns the first free label built from a wish; taken reports whether a full host name is in use.
func (h Hosts) Propose(wish string, taken func(host string) (bool, error)) (string, error) {
	base := Slugify(wish)
	if base == "" {
		base = "site"
	}
	for i := 1; ; i++ {
		label := base
		if i > 1 {
			label = base + "-" + strconv.Itoa(i)
		}
		name, fault := h.Normalize(label)
		if fault != nil {
			continue
		}
		used, err := taken(name)
		if err != nil || !used {
			return name, err
		}
	}
}

// DNS's limits for one label and for a whole name (RFC 1035 §2.3.4).
const (
	maxLabel = 63
	maxHost  = 253
)

// validLabel accepts one letter-digit-hyphen label; "xn--" is refused, since homographs of a neighbour's name hide there.
func validLabel(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	if len(s) > 3 && s[2] == '-' && s[3] == '-' {
		return false
	}
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// maxSlug leaves room for "-2", "-3" … behind a proposal.
const maxSlug = 40

// ligatures are letters that Unicode's decomposition leaves whole.
var ligatures = strings.NewReplacer("œ", "oe", "æ", "ae", "ß", "ss", "ø", "o", "ł", "l")

// Slugify turns a name people write into a label: accents fall off, everything else but letters and digits becomes one hyphen.
func Slugify(s string) string {
	var b strings.Builder
	hyphen := false
	for _, c := range norm.NFKD.String(ligatures.Replace(strings.ToLower(s))) {
		switch {
		case unicode.Is(unicode.Mn, c):
		case (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'):
			if hyphen && b.Len() > 0 {
				b.WriteByte('-')
			}
			hyphen = false
			b.WriteRune(c)
		default:
			hyphen = true
		}
		if b.Len() >= maxSlug {
			return b.String()
		}
	}
	return b.String()
}
