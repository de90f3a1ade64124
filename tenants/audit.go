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
