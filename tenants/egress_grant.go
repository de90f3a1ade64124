package tenants

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// EgressGrant is a request for a name that one site may reach beyond its template's list and the co-op's, and the
// decision on it: a manager of the association asks, a volunteer decides.
type EgressGrant struct {
	ID     string // see NewGrantID
	SiteID string
	Name   string // canonical, such as "api.example.org" or "*.example.org"
	Ports  []int  // in order, each once
	Reason string // why it is needed, in the asker's words
	State  GrantState

	AskedBy   string // name, for people; who it was is in the audit trail
	AskedAt   time.Time
	DecidedBy string
	DecidedAt *time.Time
	Answer    string // what the volunteer wrote to it
}

// GrantState is the state of a grant.
type GrantState string

// The states of a grant. From asked it becomes granted or refused, from granted revoked.
const (
	GrantAsked   GrantState = "asked"
	GrantGranted GrantState = "granted"
	GrantRefused GrantState = "refused"
	GrantRevoked GrantState = "revoked"
)

// Live reports whether the grant is open or in force, so that it need not be requested again.
func (s GrantState) Live() bool { return s == GrantAsked || s == GrantGranted }

// Target returns the name and ports, for logs and the audit log: "api.example.org:443,587".
func (a EgressGrant) Target() string { return a.Name + ":" + PortsText(a.Ports) }

// PortsText writes ports as people type them: "443, 587" without the spaces.
func PortsText(ports []int) string {
	texts := make([]string, len(ports))
	for i, p := range ports {
		texts[i] = strconv.Itoa(p)
	}
	return strings.Join(texts, ",")
}

// NewGrantID makes an id such as "e7k2m9qx4p".
func NewGrantID() string { return "e" + randomSigns(idLength) }

// Bounds of a request.
const (
	MaxAccessPorts  = 8
	MaxAccessReason = 500 // characters
	maxHostName     = 253
)

// NamePolicy decides which names can be granted to a site at all.
type NamePolicy struct {
	Platform []string // full names the platform itself answers at
}

// nowhere are last labels that never name a public server.
var nowhere = []string{"localhost", "local", "internal", "invalid", "onion", "arpa", "alt"}

// toASCII maps and checks names as browsers do before they ask a resolver.
var toASCII = idna.New(idna.MapForLookup(), idna.StrictDomainName(true), idna.BidiRule(), idna.VerifyDNSLength(true))

// Normalize returns the canonical form of a name that a person typed or pasted: an address of a page becomes its host,
// letters beyond ASCII become punycode, a final dot goes. The fault's code is "missing", "malformed", "address" (of a
// machine, which no list can have), "local" (a name that leads nowhere outside), "reserved" (the platform's own) or
// "too_wide" (a wildcard over a whole public suffix).
func (r NamePolicy) Normalize(typed string) (string, *Fault) {
	name := strings.TrimSuffix(strings.ToLower(hostTyped(typed)), ".")
	if name == "" {
		return "", &Fault{Field: "name", Code: "missing"}
	}
	base, wild := strings.CutPrefix(name, "*.")
	typedAddress := isAddress(base)
	base, err := toASCII.ToASCII(base)
	switch {
	case typedAddress || isAddress(base): // wide digits become plain ones
		return "", &Fault{Field: "name", Code: "address"}
	case err == nil && slices.Contains(nowhere, base[strings.LastIndexByte(base, '.')+1:]):
		return "", &Fault{Field: "name", Code: "local"}
	case err != nil || !reachable(base):
		return "", &Fault{Field: "name", Code: "malformed"}
	case r.isPlatform(base, wild):
		return "", &Fault{Field: "name", Code: "reserved"}
	}
	if !wild {
		return base, nil
	}
	if suffix, _ := publicsuffix.PublicSuffix(base); suffix == base {
		return "", &Fault{Field: "name", Code: "too_wide"}
	}
	return "*." + base, nil
}

// isAddress tells whether a text is an address in one of the forms that libraries read.
func isAddress(text string) bool {
	if _, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return true
	}
	last := text[strings.LastIndexByte(text, '.')+1:]
	return last != "" && last[0] >= '0' && last[0] <= '9'
}

// reachable accepts a name of at least two labels. (The mapping has refused everything but letters, digits, hyphens.)
func reachable(name string) bool {
	return len(name) <= maxHostName && strings.Contains(name, ".") && !strings.HasPrefix(name, ".") && !strings.HasSuffix(name, ".") && !strings.Contains(name, "..")
}

// isPlatform tells whether a name, or a name below it, is the platform's.
func (r NamePolicy) isPlatform(base string, wild bool) bool {
	return slices.ContainsFunc(r.Platform, func(p string) bool {
		return p == base || wild && strings.HasSuffix(p, "."+base)
	})
}

// NormalizePorts puts ports in order, each once. The fault's code is "missing", "malformed", "mail" (25 and the relay's
// business), "inside" (53, answered inside the site) or "too_many".
func NormalizePorts(ports []int) ([]int, *Fault) {
	out := slices.Compact(slices.Sorted(slices.Values(ports)))
	code := ""
	switch {
	case len(out) == 0:
		code = "missing"
	case out[0] < 1 || out[len(out)-1] > 65535:
		code = "malformed"
	case slices.Contains(out, 25):
		code = "mail"
	case slices.Contains(out, 53):
		code = "inside"
	case len(out) > MaxAccessPorts:
		code = "too_many"
	default:
		return out, nil
	}
	return nil, &Fault{Field: "ports", Code: code}
}

// NormalizeReason tidies what a person wrote on one or several lines. The fault's code is "missing", "too_long" or
// "malformed" (signs that make a text look like another).
func NormalizeReason(typed string) (string, *Fault) {
	text := strings.Join(strings.Fields(typed), " ")
	switch {
	case text == "":
		return "", &Fault{Field: "reason", Code: "missing"}
	case !Readable(text):
		return "", &Fault{Field: "reason", Code: "malformed"}
	case utf8.RuneCountInString(text) > MaxAccessReason:
		return "", &Fault{Field: "reason", Code: "too_long"}
	}
	return text, nil
}
