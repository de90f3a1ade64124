package views

import (
	"net/url"
	"strconv"
)

// Fixed paths the pages link to; the panel's routes use the same names.
const (
	PathHome           = "/"                 // Today for admins, MySites for the others
	PathSignIn         = "/sign-in"          // GET: SignIn page
	PathLogin          = "/auth/login"       // GET: starts the sign-in, ?return=path
	PathStepUp         = "/auth/step-up"     // GET: asks for the second factor, ?return=path
	PathLogout         = "/auth/logout"      // POST
	PathBreakGlass     = "/break-glass"      // GET: BreakGlass page (?key=…), POST: field "key"
	PathSites          = "/sites"            // GET: Sites (?q=), POST: creates (NewSite's form)
	PathNewSite        = "/sites/new"        // GET: NewSite (?association=&template=&name=&host=)
	PathAssociations   = "/associations"     // GET: Associations (?q=), POST: creates
	PathNewAssociation = "/associations/new" // GET (?name=&slug=)
	PathBin            = "/bin"              // GET
	PathAccount        = "/account"          // GET
	PathSessions       = "/account/sessions" // POST: …/end, …/<id>/end
	PathTokens         = "/account/tokens"   // POST: creates, answers Account with Created
	PathPlatform       = "/platform"         // GET
	PathJournal        = "/journal"          // GET: the co-op's Journal (?association=&person=&act=&from=&to=&before=)
	PathAccessibility  = "/accessibility"    // GET
)

// SitePath leads to a site's page. Below it: /suspend, /update and /delete (GET Confirm, POST), /purge (same),
// /resume, /restore and /enter (POST).
func SitePath(id string) string { return PathSites + "/" + url.PathEscape(id) }

// EgressPath leads to what a site may reach and tried to. Below it: /ask (GET AskAccess, POST), /<access>/grant, /refuse
// and /revoke (POST).
func EgressPath(siteID string) string { return SitePath(siteID) + "/egress" }

// AskPath leads to the form that asks for a name, filled in.
func AskPath(siteID, name string, port int) string {
	v := url.Values{"name": {name}}
	if port != 0 {
		v.Set("port", strconv.Itoa(port))
	}
	return EgressPath(siteID) + "/ask?" + v.Encode()
}

// AssociationPath leads to an association's page.
func AssociationPath(slug string) string { return PathAssociations + "/" + url.PathEscape(slug) }

// JournalPath leads to an association's journal.
func JournalPath(slug string) string { return AssociationPath(slug) + "/journal" }

// OperationPath leads to an operation's progress. Below it: /events (GET, server-sent events),
// /cancel and /retry (POST).
func OperationPath(id string) string { return "/operations/" + url.PathEscape(id) }

// RevokePath leads to the confirmation before revoking a token (GET Confirm, POST).
func RevokePath(id string) string { return PathTokens + "/" + url.PathEscape(id) + "/revoke" }

func newSitePath(association string) string {
	if association == "" {
		return PathNewSite
	}
	return PathNewSite + "?" + url.Values{"association": {association}}.Encode()
}
