package tenants

import "time"

// Entrant is somebody who may enter the sites of an association.
type Entrant struct {
	Subject string
	// SignedOutAt is when all their sessions were last ended at once, by them or by the co-op; zero for never.
	SignedOutAt time.Time
}

// SiteAccount is an account inside a site that the co-op should know of: a person's own, or one that lets somebody in
// without the panel.
type SiteAccount struct {
	SiteID        string
	Login         string
	Local         bool // nobody's at the co-op: it has a password of its own
	Administrator bool
	Keys          int // application passwords
	// Subjects are the person it belongs to, or those who created it, changed it or gave it keys; empty when nobody is known.
	Subjects []string
}
