package api

import "net/url"

// Paths of the API, without Prefix.
const (
	PathAssociations = "/associations"
	PathSites        = "/sites"
	PathOperations   = "/operations"
	PathTemplates    = "/templates"
	PathTokens       = "/tokens"
	PathAccount      = "/account"
	PathDoctor       = "/doctor"
	PathAudit        = "/audit"
	PathBreakGlass   = "/break-glass"
	PathFindings     = "/findings"
	PathDocument     = "/openapi.json"
)

// Item returns the path of one thing below a list's path, and of an act on it when act is given.
func Item(list, id string, act ...string) string {
	p := Prefix + list + "/" + url.PathEscape(id)
	for _, a := range act {
		p += "/" + a
	}
	return p
}
