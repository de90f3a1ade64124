package reverseproxy

import (
	"net/http"
	"slices"
	"strings"
)

// confine changes a response's header so that it acts on its own host alone. Browsers let a host set cookies for every
// name above it up to the registrable one, and clear those of all names below that.
func (x *requestState) confine(header http.Header) {
	if cookies, some := header["Set-Cookie"]; some {
		for i, cookie := range cookies {
			cookies[i] = withoutForeignDomain(cookie, x.entry.Host, x.entry.SharedDomain)
		}
	}
	if lists, some := header["Clear-Site-Data"]; some {
		if kept := ownSiteData(lists); kept != "" {
			header["Clear-Site-Data"] = []string{kept}
		} else {
			delete(header, "Clear-Site-Data")
		}
	}
}

// withoutForeignDomain takes each Domain attribute out of a Set-Cookie value but those that name the host itself, or
// what lies between it and the shared domain. Without one, the cookie is the host's own.
func withoutForeignDomain(cookie, host, shared string) string {
	pair, rest, some := strings.Cut(cookie, ";")
	if !some {
		return cookie
	}
	attributes := strings.Split(rest, ";")
	kept := slices.DeleteFunc(attributes, func(attribute string) bool {
		name, value, _ := strings.Cut(attribute, "=")
		return strings.EqualFold(trimmed(name), "domain") && !isOwnDomain(trimmed(value), host, shared)
	})
	return strings.Join(append([]string{pair}, kept...), ";")
}

// isOwnDomain knows what may stay rather than what may not: browsers decode names in more ways than one.
func isOwnDomain(domain, host, shared string) bool {
	domain = strings.ToLower(strings.TrimPrefix(domain, "."))
	return strings.HasSuffix(domain, "."+shared) && (domain == host || strings.HasSuffix(host, "."+domain))
}

// trimmed goes beyond what browsers trim (spaces and tabs).
func trimmed(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f })
}

// ownSiteData returns what of Clear-Site-Data concerns the host's own origin. Cookies are cleared for the whole
// registrable domain; "*" stands for them too, and an unknown kind might.
func ownSiteData(lists []string) string {
	var kept []string
	for _, list := range lists {
		for kind := range strings.SplitSeq(list, ",") {
			switch kind = trimmed(kind); kind {
			case `"cache"`, `"storage"`, `"executionContexts"`, `"clientHints"`, `"prefetchCache"`, `"prerenderCache"`:
				kept = append(kept, kind)
			}
		}
	}
	return strings.Join(kept, ", ")
}
