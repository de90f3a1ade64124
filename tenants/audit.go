package tenants

import "time"

// AuditEntry is one line of the audit trail, which can only grow.
type AuditEntry struct {
	ID            int64
	At            time.Time
	ActorKind     PrincipalKind
	ActorID       string
	ActorName     string
	Address       string // where the request came from; "" for the socket and the worker
	Action        string // an Action, or "session.open", "session.close", "break_glass.issue", …
	AssociationID string
	SiteID        string
	OperationID   string
	Detail        string // never a secret
}

// AuditFilter narrows the audit trail; zero values do not narrow.
type AuditFilter struct {
	AssociationID string
	SiteID        string
	OperationID   string
	ActorName     string // without regard to case and accents
	ActorID       string
	Action        string
	From, To      time.Time   // To is not part of it
	Before        AuditCursor // only what is older: the next page
	Limit         int         // 0: 100; at most 1000
}

// AuditCursor is an entry's place in the trail's order: by time, then by id.
type AuditCursor struct {
	At time.Time
	ID int64
}
