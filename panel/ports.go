package panel

import (
	"context"
	"time"

	"chatiere/panel/api"
	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/platform"
	"chatiere/tenants/provision"
)

// Provisioner accepts requests for changes. It authorises each by itself; handlers must not do so a second time.
type Provisioner interface {
	CreateAssociation(ctx context.Context, r provision.Request, wish provision.NewAssociation) (operations.Operation, error)
	CreateSite(ctx context.Context, r provision.Request, wish provision.NewSite) (operations.Operation, error)
	SuspendSite(ctx context.Context, r provision.Request, siteID string) (operations.Operation, error)
	ResumeSite(ctx context.Context, r provision.Request, siteID string) (operations.Operation, error)
	DeleteSite(ctx context.Context, r provision.Request, siteID string) (operations.Operation, error)
	RestoreSite(ctx context.Context, r provision.Request, siteID string) (operations.Operation, error)
	UpdateSite(ctx context.Context, r provision.Request, siteID, mode string) (operations.Operation, error)
	PurgeSite(ctx context.Context, r provision.Request, siteID string) (operations.Operation, error)
	BackUpSite(ctx context.Context, r provision.Request, siteID string) (operations.Operation, error)
	RecoverSite(ctx context.Context, r provision.Request, siteID, snapshotID string) (operations.Operation, error)
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
	// Snapshots returns those of a site, newest first.
	Snapshots(ctx context.Context, siteID string) ([]tenants.Snapshot, error)
	// RequestsToday counts requests by site on a day of Europe/Paris.
	RequestsToday(ctx context.Context, siteIDs []string, day time.Time) (map[string]int64, error)
}

// Mails reads the state of the sites' mail.
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

// Platform reads the state of the platform.
type Platform interface {
	// WorkerSeen is the time of a worker's last heartbeat; zero for never.
	WorkerSeen(ctx context.Context) (time.Time, error)
	// Revival is the command that restarts the worker; "" when it is not known.
	Revival(ctx context.Context) (string, error)
	Ping(ctx context.Context) error
	// Findings lists findings, open ones first.
	Findings(ctx context.Context, f tenants.FindingFilter) ([]tenants.Finding, error)
}

// AuditLog reads the audit log.
type AuditLog interface {
	// AuditEntries returns the newest first.
	AuditEntries(ctx context.Context, f tenants.AuditFilter) ([]tenants.AuditEntry, error)
	// AuditActors and AuditActions return the names and actions in the log of an association, or ("") in all of it.
	AuditActors(ctx context.Context, associationID string) ([]string, error)
	AuditActions(ctx context.Context, associationID string) ([]string, error)
}

// Records is everything the panel reads from the database, and the audit log it appends to.
type Records interface {
	Associations
	Sites
	Mails
	Operations
	EgressRecords
	Platform
	AuditLog
	// SiteAccountsOf returns what a person has and left inside sites.
	SiteAccountsOf(ctx context.Context, subject string) ([]tenants.SiteAccount, error)
	Audit(ctx context.Context, e tenants.AuditEntry) error
}

// Catalogue lists the templates a new site can be made of.
type Catalogue interface {
	Templates() []Template
	// AllowedNames returns what a site may reach by its template and by the co-op's configuration.
	AllowedNames(x tenants.Site) []AllowedName
}

// Template is one entry of the catalogue.
type Template struct {
	Name    string
	Title   string // as people say it: "WordPress"
	Version string
	Summary map[string]string // one sentence, by language
	Modes   []string          // the first is that of new sites
	Entry   string            // path where a site lets in who comes from the panel; "": nowhere
}

// PlatformMonitor returns the state of the platform's containers; ErrUnavailable when the worker does not answer.
type PlatformMonitor interface {
	Containers(ctx context.Context) ([]platform.State, error)
}

// Doctor examines the platform.
type Doctor interface {
	Examine(ctx context.Context) (api.Diagnosis, error)
}
