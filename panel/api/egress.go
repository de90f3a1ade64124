package api

import "time"

// PathAccess lists what waits for a decision; below a site's path: /egress, /egress/tries, /egress/access and its items.
const PathAccess = "/egress/access"

// Egress is what a site may reach, and what was asked for.
type Egress struct {
	Allowed []Reachable `json:"allowed"`
	Access  []Access    `json:"access"` // the newest first, whatever became of it
}

// Reachable is a name a site may reach.
type Reachable struct {
	Name  string `json:"name"`
	Ports []int  `json:"ports"`
	From  string `json:"from"` // template, coop, site
}

// Where a name on a site's list comes from.
const (
	FromTemplate = "template"
	FromCoop     = "coop"
	FromSite     = "site" // somebody asked, and a volunteer granted
)

// Access is a wish that a site may reach a name. States: asked, granted, refused, revoked.
type Access struct {
	ID        string     `json:"id"`
	Site      string     `json:"site"`
	Name      string     `json:"name"`
	Ports     []int      `json:"ports"`
	Reason    string     `json:"reason"`
	State     string     `json:"state"`
	AskedBy   string     `json:"asked_by"`
	AskedAt   time.Time  `json:"asked_at"`
	DecidedBy string     `json:"decided_by,omitempty"`
	DecidedAt *time.Time `json:"decided_at,omitempty"`
	Answer    string     `json:"answer,omitempty"`
}

// NewAccess asks for one.
type NewAccess struct {
	Name   string `json:"name" bound:"min=1,max=300"` // api.example.org or *.example.org
	Ports  []int  `json:"ports"`
	Reason string `json:"reason" bound:"min=1,max=500"`
}

// Verdict decides on one.
type Verdict struct {
	Answer string `json:"answer,omitempty" bound:"max=500"`
}

// Try is how often a site tried one port of a name. Decisions: allowed, refused, failed.
type Try struct {
	Name     string    `json:"name"` // empty: names too many to keep apart, or requests that could not be read
	Port     int       `json:"port"` // 0: refused already when the name was looked up
	Decision string    `json:"decision"`
	Reason   string    `json:"reason,omitempty"`
	Count    int64     `json:"count"`
	Sent     int64     `json:"sent"`
	Received int64     `json:"received"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
}
