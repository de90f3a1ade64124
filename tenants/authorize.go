package tenants

import "fmt"

// Action is something a principal may want to do. Every handler names exactly one.
type Action string

// The actions. Those on an association take its slug; those on the co-op take none.
const (
	ActAssociationsList  Action = "associations.list" // the co-op's whole list
	ActAssociationCreate Action = "association.create"
	ActAssociationShow   Action = "association.show"
	ActSitesListAll      Action = "sites.list_all"
	ActSiteShow          Action = "site.show"
	ActSiteCreate        Action = "site.create"
	ActSiteSuspend       Action = "site.suspend"
	ActSiteResume        Action = "site.resume"
	ActSiteDelete        Action = "site.delete"  // into the bin
	ActSiteRestore       Action = "site.restore" // out of the bin
	ActSitePurge         Action = "site.purge"   // for good
	ActSiteUpdate        Action = "site.update"  // to its template as it is now
	ActSiteBackup        Action = "site.backup"  // save its data now
	ActSiteRecover       Action = "site.recover" // bring a snapshot back
	ActSiteBackups       Action = "site.backups" // see its snapshots
	ActSiteRepair        Action = "site.repair"  // what the worker does to a site by itself
	ActSiteEnter         Action = "site.enter"   // its own administration, in one's own name
	ActOperationShow     Action = "operation.show"
	ActOperationCancel   Action = "operation.cancel"
	ActOperationRetry    Action = "operation.retry"
	ActTemplatesList     Action = "templates.list"
	ActTokensOwn         Action = "tokens.own" // list, make and revoke one's own
	ActAccount           Action = "account"
	ActSessionsOwn       Action = "sessions.own" // end one's own
	ActSessionsEnd       Action = "sessions.end" // see somebody's and end them all
	ActDoctor            Action = "doctor"
	ActEgressShow        Action = "egress.show"  // what a site may reach and tried to
	ActAccessList        Action = "access.list"  // wishes of all sites
	ActAccessAsk         Action = "access.ask"   // that a site may reach a name
	ActAccessGrant       Action = "access.grant" // what was asked for
	ActAccessRefuse      Action = "access.refuse"
	ActAccessRevoke      Action = "access.revoke" // what was granted
	ActPlatformShow      Action = "platform.show" // the platform's state and everything it noticed
	ActSiteFindings      Action = "site.findings" // what was noticed about one site
	ActAuditRead         Action = "audit.read"    // the co-op's whole trail
	ActJournalShow       Action = "journal.show"  // an association's part of it
	ActSiteMail          Action = "site.mail"     // what became of its mail
)

// rule says who may do an action.
type rule struct {
	scope   Scope
	anyone  bool // any signed-in principal
	member  bool // members and managers of the association
	manager bool // managers of the association
	admin   bool // co-op admins; those who sign in as persons need a second factor
}

var rules = map[Action]rule{
	ActAssociationsList:  {scope: ScopeRead, admin: true},
	ActAssociationCreate: {scope: ScopeWrite, admin: true},
	ActAssociationShow:   {scope: ScopeRead, member: true, manager: true, admin: true},
	ActSitesListAll:      {scope: ScopeRead, admin: true},
	ActSiteShow:          {scope: ScopeRead, member: true, manager: true, admin: true},
	ActSiteCreate:        {scope: ScopeWrite, admin: true},
	ActSiteSuspend:       {scope: ScopeWrite, admin: true},
	ActSiteResume:        {scope: ScopeWrite, admin: true},
	ActSiteDelete:        {scope: ScopeWrite, manager: true, admin: true},
	ActSiteRestore:       {scope: ScopeWrite, manager: true, admin: true},
	ActSitePurge:         {scope: ScopeWrite, admin: true},
	ActSiteUpdate:        {scope: ScopeWrite, admin: true},
	ActSiteBackup:        {scope: ScopeWrite, manager: true, admin: true},
	ActSiteRecover:       {scope: ScopeWrite, manager: true, admin: true},
	ActSiteBackups:       {scope: ScopeRead, member: true, manager: true, admin: true},
	ActSiteRepair:        {scope: ScopeWrite, admin: true},
	ActSiteEnter:         {scope: ScopeWrite, manager: true, admin: true},
	ActOperationShow:     {scope: ScopeRead, member: true, manager: true, admin: true},
	ActOperationCancel:   {scope: ScopeWrite, manager: true, admin: true},
	ActOperationRetry:    {scope: ScopeWrite, manager: true, admin: true},
	ActTemplatesList:     {scope: ScopeRead, anyone: true},
	ActTokensOwn:         {scope: ScopeWrite, anyone: true},
	ActAccount:           {scope: ScopeRead, anyone: true},
	ActSessionsOwn:       {scope: ScopeWrite, anyone: true},
	ActSessionsEnd:       {scope: ScopeWrite, admin: true},
	ActDoctor:            {scope: ScopeRead, admin: true},
	ActAuditRead:         {scope: ScopeRead, admin: true},
	ActEgressShow:        {scope: ScopeRead, manager: true, admin: true},
	ActAccessList:        {scope: ScopeRead, admin: true},
	ActAccessAsk:         {scope: ScopeWrite, manager: true, admin: true},
	ActAccessGrant:       {scope: ScopeWrite, admin: true},
	ActAccessRefuse:      {scope: ScopeWrite, admin: true},
	ActAccessRevoke:      {scope: ScopeWrite, admin: true},
	ActPlatformShow:      {scope: ScopeRead, admin: true},
	ActSiteFindings:      {scope: ScopeRead, manager: true, admin: true},
	ActJournalShow:       {scope: ScopeRead, manager: true, admin: true},
	ActSiteMail:          {scope: ScopeRead, manager: true, admin: true},
}

// Authorize answers whether p may do a on the association named by slug ("" for the co-op as a whole).
//
// It denies by default: an action without a rule is forbidden. The answers are nil, ErrUnauthenticated,
// ErrStepUp (an admin who signed in without a second factor), ErrForbidden (p belongs to the association, or the
// action is the co-op's), or ErrNotFound (the association is not p's: p must not learn that it exists).
func Authorize(p Principal, a Action, slug string) error {
	r, known := rules[a]
	if !known {
		return fmt.Errorf("authorizing %q: %w", a, ErrForbidden)
	}
	if p.Kind == KindAnonymous || p.Kind == "" {
		return ErrUnauthenticated
	}
	role := Role("")
	if slug != "" {
		role = p.RoleIn(slug)
	}
	if slug != "" && role == "" && !p.CoopAdmin {
		return ErrNotFound
	}
	if !p.holds(r.scope) {
		return fmt.Errorf("authorizing %q: token lacks scope %q: %w", a, r.scope, ErrForbidden)
	}
	switch {
	case r.anyone,
		r.member && role == RoleMember,
		r.manager && role == RoleManager,
		r.admin && p.CoopAdmin && p.SecondFact:
		return nil
	case r.admin && p.CoopAdmin:
		return ErrStepUp
	}
	return fmt.Errorf("authorizing %q: %w", a, ErrForbidden)
}

// Actions returns every action that has a rule, for tests that walk them all.
func Actions() []Action {
	out := make([]Action, 0, len(rules))
	for a := range rules {
		out = append(out, a)
	}
	return out
}
