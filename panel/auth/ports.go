package auth

import (
	"context"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/identity"
)

// SessionStore keeps sessions. Reading what is not there answers tenants.ErrNotFound.
type SessionStore interface {
	InsertSession(ctx context.Context, s Session) error
	Session(ctx context.Context, hash Hash) (Session, error)
	// TouchSession notes when and from which network a session was last used; "" leaves the network as it is.
	TouchSession(ctx context.Context, hash Hash, seen time.Time, network string) error
	// RenewSession writes the rights and the sealed tokens.
	RenewSession(ctx context.Context, s Session) error
	DeleteSession(ctx context.Context, hash Hash) error
}

// SessionSweeper finds sessions by something else than their cookie.
type SessionSweeper interface {
	// DeleteSessionsOf removes those of the issuer's session, or, when sid is empty, all of the subject.
	DeleteSessionsOf(ctx context.Context, sid, subject string) (int64, error)
	// SessionsOf lists a person's sessions that have not reached their end, the one used last first.
	SessionsOf(ctx context.Context, subject string, now time.Time) ([]Session, error)
	// DeleteExpired removes sessions past their absolute end or idle since before idleSince, and
	// flows, links, signals and tries past theirs.
	DeleteExpired(ctx context.Context, now, idleSince time.Time) error
}

// FlowStore keeps sign-ins that have begun.
type FlowStore interface {
	InsertFlow(ctx context.Context, f Flow) error
	// TakeFlow removes and returns it, at most once.
	TakeFlow(ctx context.Context, state Hash) (Flow, error)
}

// TokenStore keeps API tokens.
type TokenStore interface {
	InsertToken(ctx context.Context, t Token) error
	TokenByHash(ctx context.Context, hash Hash) (Token, error)
	// Tokens lists those an owner made, newest first, without the revoked ones; a zero owner lists all.
	Tokens(ctx context.Context, m Owner) ([]Token, error)
	// RevokeToken answers tenants.ErrNotFound unless the owner (zero: anybody) made it and it is not revoked yet.
	RevokeToken(ctx context.Context, id string, m Owner, now time.Time) (Token, error)
	// RevokeTokensOf revokes all that an owner made.
	RevokeTokensOf(ctx context.Context, m Owner, now time.Time) (int64, error)
	UseToken(ctx context.Context, id string, now time.Time) error
}

// LinkStore keeps break-glass links.
type LinkStore interface {
	InsertLink(ctx context.Context, l Link) error
	Link(ctx context.Context, hash Hash) (Link, error)
	// UseLink marks it used, at most once, if it is not past its end; else tenants.ErrNotFound.
	UseLink(ctx context.Context, hash Hash, now time.Time) error
}

// LogoutStore records the issuer's logout tokens.
type LogoutStore interface {
	// RecordLogout stores a logout token until an instant and removes the sessions of the issuer's session, or, when sid is
	// empty, all of the subject: both or neither. The subject's other sessions renew their rights at their next use:
	// Keycloak (tested with 26.5) names only one session when it ends all of a person's. A token that was used before is
	// tenants.ErrConflict.
	RecordLogout(ctx context.Context, token Hash, until time.Time, sid, subject string) (int64, error)
}

// Store is all of them: panel/mysql implements it.
type Store interface {
	SessionStore
	SessionSweeper
	FlowStore
	TokenStore
	LinkStore
	LogoutStore
	LimitStore
}

// MemberStore stores the panel's copy of members.
type MemberStore interface {
	identity.Copy
	SaveMember(ctx context.Context, m tenants.Member) error
	// SignedOut notes that all of a person's sessions ended, so that those inside sites do too.
	SignedOut(ctx context.Context, subject string, at time.Time) error
}

// Auditor appends to the audit trail.
type Auditor interface {
	Audit(ctx context.Context, e tenants.AuditEntry) error
}
