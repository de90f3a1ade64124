package panel

import (
	"context"
	"time"

	"chatiere/panel/api"
	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

// Desk takes in wishes. It authorises each by itself; handlers must not do so a second time.
type Desk interface {
	CreateAssociation(ctx context.Context, r provision.Request, wish provision.NewAssociation) (operations.Operation, error)
	CreateSite(ctx context.Context, r provision.Request, wish provision.NewSite) (operations.Operation, error)
	SuspendSite(ctx context.Context, r provision.Request, siteID string) (operations.Operation, error)
	ResumeSite(ctx context.Context, r provision.Request, siteID string) (operations.Operation, error)
	DeleteSite(ctx context.Context, r provision.Request, siteID string) (operations.Operation, error)
	RestoreSite(ctx context.Context, r provision.Request, siteID string) (operations.Operation, error)
	UpdateSite(ctx context.Context, r provision.Request, siteID string) (operations.Operation, error)
	PurgeSite(ctx context.Context, r provision.Request, siteID string) (operations.Operation, error)
	CancelOperation(ctx context.Context, r provision.Request, id string) error
	RetryOperation(ctx context.Context, r provision.Request, id string) error
	ProposeHost(ctx context.Context, wish string) (string, error)
}

// Associations reads tenants and the people in them.
type Associations interface {
	Association(ctx context.Context, id string) (tenants.Association, error)
	AssociationBySlug(ctx context.Context, slug string) (tenants.Association, error)
	Associations(ctx context.Context) ([]tenants.Association, error)
	AssociationsBySlugs(ctx context.Context, slugs []string) ([]tenants.Association, error)
	Members(ctx context.Context, associationID string) ([]tenants.Member, error)
	// MemberCounts counts them by association; one without members may be left out.
	MemberCounts(ctx context.Context, associationIDs []string) (map[string]int, error)
}

// Sites reads sites. Nil narrows nothing; an empty list of associations finds nothing.
type Sites interface {
	Site(ctx context.Context, id string) (tenants.Site, error)
	Sites(ctx context.Context, associationIDs []string, states []tenants.SiteState, search string) ([]tenants.Site, error)
	// RequestsToday counts requests by site on a day of Europe/Paris.
	RequestsToday(ctx context.Context, siteIDs []string, day time.Time) (map[string]int64, error)
}

// Mails reads what became of the sites' mail.
type Mails interface {
	// Mails lists the last ones of a site, the newest first.
	Mails(ctx context.Context, siteID string, limit int) ([]tenants.Mail, error)
	// MailFigures counts those of the day and the hour that the instant lies in.
	MailFigures(ctx context.Context, siteID string, now time.Time) (tenants.MailFigures, error)
}

// Operations reads operations.
type Operations interface {
	Operation(ctx context.Context, id string) (operations.Operation, error)
	Operations(ctx context.Context, f operations.Filter) ([]operations.Operation, error)
}

// Platform reads how the platform is.
type Platform interface {
	// WorkerSeen is when a worker last said it is there; zero for never.
	WorkerSeen(ctx context.Context) (time.Time, error)
	// Revival is the command that brings the worker back; "" when it is not known.
	Revival(ctx context.Context) (string, error)
	Ping(ctx context.Context) error
	// Findings lists what was noticed, open ones first.
	Findings(ctx context.Context, f tenants.FindingFilter) ([]tenants.Finding, error)
}

// Journal reads the audit trail.
type Journal interface {
	// AuditEntries returns the newest first.
	AuditEntries(ctx context.Context, f tenants.AuditFilter) ([]tenants.AuditEntry, error)
	// AuditActors and AuditActions return who and what stands in the trail of an association, or ("") in all of it.
	AuditActors(ctx context.Context, associationID string) ([]string, error)
	AuditActions(ctx context.Context, associationID string) ([]string, error)
}

// Records is everything the panel reads of the database, and the audit trail it appends to.
type Records interface {
	Associations
	Sites
	Mails
	Operations
	WayOut
	Platform
	Journal
	// SiteAccountsOf returns what a person has and left inside sites.
	SiteAccountsOf(ctx context.Context, subject string) ([]tenants.SiteAccount, error)
	Audit(ctx context.Context, e tenants.AuditEntry) error
}

// Catalogue lists the templates a new site can be made of.
type Catalogue interface {
	Templates() []Template
	// Listed is what a site may reach by its template and by the co-op's configuration.
	Listed(x tenants.Site) []Listed
}

// Template is one entry of the catalogue.
type Template struct {
	Name    string
	Title   string // as people say it: "WordPress"
	Version string
	Summary map[string]string // one sentence, by language
	Entry   string            // path where a site lets in who comes from the panel; "": nowhere
}

// Watch tells how the platform's parts are; ErrUnavailable when the worker, which looks after them, does not answer.
type Watch interface {
	Parts(ctx context.Context) ([]Part, error)
}

// Part is one container of the platform.
type Part struct {
	Role      string
	Container string
	State     string // as the engine says; "gone"; "" when it has not been looked at
	Health    string
	Since     time.Time // of its last start
	Restarts  int
}

// Doctor looks the platform over.
type Doctor interface {
	Examine(ctx context.Context) (api.Diagnosis, error)
}
