package views

import (
	"net/url"
	"time"
)

// AuditLog is a page of the audit log. Template journal. Its form requests the same page with association, person, act,
// from and to.
type AuditLog struct {
	Base
	Path         string // of this page, without what narrows it
	Name         string // the association's; "" for the co-op's whole journal
	Back         string // where the association's page is
	Whole        bool   // the co-op's: with addresses and details
	Rows         []AuditRow
	Associations []Choice // to choose from; the co-op's alone
	People       []string
	Acts         []AuditAct
	Association  string // what narrows it, as it was asked for
	Person       string
	Act          string
	From, To     string
	Next         string // path of what is older; "" on the last page
	Later        bool   // this is not the newest page
}

func (AuditLog) template() string { return "journal" }

func (p AuditLog) area() Area {
	if sitesArea(p.Base) == AreaMySites {
		return AreaMySites
	}
	return AreaAssociations
}

// Narrowed tells whether anything was asked for.
func (p AuditLog) Narrowed() bool { return p.Association+p.Person+p.Act+p.From+p.To != "" }

// Link leads to the same part of the journal before a place in it.
func (p AuditLog) Link(before string) string {
	q := url.Values{}
	for name, value := range map[string]string{
		"association": p.Association, "person": p.Person, "act": p.Act, "from": p.From, "to": p.To, "before": before,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return p.Path
	}
	return p.Path + "?" + q.Encode()
}

// AuditRow is one act.
type AuditRow struct {
	ID          int64
	At          time.Time
	Who         string
	Subject     string // the person's id, where it may be looked up
	Kind        ActorKind
	Act         AuditAct
	Association string // name; "" for the co-op's own
	Slug        string
	Site        string // host; "" when it is gone
	SiteID      string
	Operation   string
	Address     string
	Detail      string
}

// ActorKind tells how somebody acted.
type ActorKind string

// The ways to act. That of a person needs no words.
const (
	ActorPerson ActorKind = "person"
	ActorToken  ActorKind = "token"
	ActorLocal  ActorKind = "local"
	ActorSystem ActorKind = "system"
)

// AuditAct is what was done. One without words is shown as AuditOther.
type AuditAct string

// The acts that have words.
const (
	AuditAssociationCreate AuditAct = "association.create"
	AuditSiteCreate        AuditAct = "site.create"
	AuditSiteSuspend       AuditAct = "site.suspend"
	AuditSiteResume        AuditAct = "site.resume"
	AuditSiteDelete        AuditAct = "site.delete"
	AuditSiteRestore       AuditAct = "site.restore"
	AuditSitePurge         AuditAct = "site.purge"
	AuditSiteUpdate        AuditAct = "site.update"
	AuditSiteBackup        AuditAct = "site.backup"
	AuditSiteRecover       AuditAct = "site.recover"
	AuditSiteRepair        AuditAct = "site.repair"
	AuditSiteEnter         AuditAct = "site.enter"
	AuditOperationCancel   AuditAct = "operation.cancel"
	AuditOperationRetry    AuditAct = "operation.retry"
	AuditAccessAsk         AuditAct = "access.ask"
	AuditAccessGrant       AuditAct = "access.grant"
	AuditAccessRefuse      AuditAct = "access.refuse"
	AuditAccessRevoke      AuditAct = "access.revoke"
	AuditSessionOpen       AuditAct = "session.open"
	AuditSessionClose      AuditAct = "session.close"
	AuditSessionEnd        AuditAct = "session.end"
	AuditSessionEndAll     AuditAct = "session.end_all"
	AuditSessionsEnd       AuditAct = "sessions.end" // as the right to do it is called
	AuditSessionIssuerEnd  AuditAct = "session.issuer_end"
	AuditBreakGlassIssue   AuditAct = "break_glass.issue"
	AuditBreakGlassUse     AuditAct = "break_glass.use"
	AuditTokenCreate       AuditAct = "token.create"
	AuditTokenRevoke       AuditAct = "token.revoke"
	AuditPrune             AuditAct = "audit.prune"
	AuditOther             AuditAct = "other"
)
