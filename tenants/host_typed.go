package tenants

import "strings"

// hostTyped finds the host in what a person typed or pasted from a browser's address line or a mail: without scheme, path,
// port and what stands before an "@". What else is wrong with it stays.
func hostTyped(typed string) string {
	name := strings.TrimSpace(typed)
	if _, after, found := strings.Cut(name, "://"); found {
		name = after
	}
	name = strings.TrimPrefix(name, "//")
	if end := strings.IndexAny(name, "/?#"); end >= 0 {
		name = name[:end]
	}
	name = name[strings.LastIndexByte(name, '@')+1:]
	if host, port, found := strings.Cut(name, ":"); found && digits(port) {
		return host
	}
	return name
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// Label returns what a person may have meant as the first part of a site's address, for a proposal: of a mail address at
// the co-op's own domain it is what stands before the "@".
func (h Hosts) Label(typed string) string {
	host := strings.Trim(lower(hostTyped(typed)), ".")
	if host == h.Domain {
		host, _, _ = strings.Cut(lower(strings.TrimSpace(typed)), "@")
		if host == h.Domain || strings.ContainsAny(host, "/:") {
			return ""
		}
	}
	return strings.TrimSuffix(host, "."+h.Domain)
}
