package api

import "time"

// List is the body of every answer that lists.
type List[T any] struct {
	Items []T `json:"items"`
}

// Association is a tenant.
type Association struct {
	ID        string    `json:"id"`
	Slug      string    `json:"slug"`
	Name      string    `json:"name"`
	State     string    `json:"state"`
	CreatedAt time.Time `json:"created_at"`
}

// NewAssociation asks for one.
type NewAssociation struct {
	Name string `json:"name" bound:"min=1,max=120"`
	Slug string `json:"slug,omitempty" bound:"min=2,max=40"`
}

// Site is one application at one host name.
type Site struct {
	ID            string     `json:"id"`
	Association   string     `json:"association"` // slug
	Name          string     `json:"name"`
	Host          string     `json:"host"`
	URL           string     `json:"url"`
	Template      string     `json:"template"`
	Version       string     `json:"version"`
	Mode          string     `json:"mode,omitempty"` // autonome, mutualise; absent until the site has been made
	State         string     `json:"state"`
	Health        string     `json:"health,omitempty"`
	ProbedAt      *time.Time `json:"probed_at,omitempty"`
	Probe         *Probe     `json:"probe,omitempty"` // absent: never looked at
	CreatedAt     time.Time  `json:"created_at"`
	BinnedAt      *time.Time `json:"binned_at,omitempty"`
	PurgeAt       *time.Time `json:"purge_at,omitempty"` // when the bin may be emptied of it by itself
	DiskBytes     int64      `json:"disk_bytes"`
	RequestsToday *int64     `json:"requests_today,omitempty"` // absent: not known now
	// UpdateAvailable is told to co-op admins alone: a release made now would differ from the site's.
	UpdateAvailable *bool `json:"update_available,omitempty"`
	// Release is told to co-op admins alone; absent: none has been made yet.
	Release *Release `json:"release,omitempty"`
}

// Release is what of a site runs.
type Release struct {
	Number     int       `json:"number"` // counts the site's releases from 1
	Version    string    `json:"version"`
	Containers []string  `json:"containers"` // names in the engine; the one that answers HTTP first
	Sockets    string    `json:"sockets"`    // directory of its sockets below the site's; empty: the site's own
	Generation int       `json:"generation"` // of the site's data
	CreatedAt  time.Time `json:"created_at"`
}

// Probe is the last look at a site.
type Probe struct {
	At     time.Time `json:"at"`
	Health string    `json:"health"`           // up, down, asleep
	Detail string    `json:"detail,omitempty"` // for co-op admins alone
}

// NewSite asks for one.
type NewSite struct {
	Association string `json:"association" bound:"min=1,max=80"` // slug
	Template    string `json:"template" bound:"min=1,max=64"`
	Mode        string `json:"mode,omitempty" bound:"max=16"` // one of the template's; absent: its first
	Name        string `json:"name" bound:"min=1,max=120"`
	Host        string `json:"host" bound:"min=1,max=253"` // a label below the co-op's domain, or the full name
	AdminEmail  string `json:"admin_email,omitempty" bound:"max=190,form=email"`
}

// Operation is one durable piece of work. States: queued, running, undoing, done, undone, stuck.
type Operation struct {
	ID          string     `json:"id"`
	Kind        string     `json:"kind"`
	State       string     `json:"state"`
	Association string     `json:"association,omitempty"` // slug
	Site        string     `json:"site,omitempty"`
	Cancel      bool       `json:"cancel_asked,omitempty"`
	Problem     string     `json:"problem,omitempty"`
	Detail      string     `json:"detail,omitempty"` // for co-op admins alone
	CreatedBy   string     `json:"created_by"`
	CreatedAt   time.Time  `json:"created_at"`
	StartedAt   *time.Time `json:"started_at,omitempty"`
	EndedAt     *time.Time `json:"ended_at,omitempty"`
	Done        int        `json:"steps_done"`
	Total       int        `json:"steps_total"`
	Steps       []Step     `json:"steps,omitempty"`
}

// Ended reports whether nothing more will happen by itself.
func (o Operation) Ended() bool {
	return o.State == "done" || o.State == "undone" || o.State == "stuck"
}

// Step is one step of an operation.
type Step struct {
	Name      string     `json:"name"`
	State     string     `json:"state"`
	Attempt   int        `json:"attempt,omitempty"`
	StartedAt *time.Time `json:"started_at,omitempty"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	Progress  *Progress  `json:"progress,omitempty"` // absent: the step does not tell, or does not run
}

// Progress is how far a running step has come.
type Progress struct {
	Done  int64  `json:"done"`
	Total int64  `json:"total"` // 0: unknown
	Unit  string `json:"unit"`  // "bytes", or what is counted
}

// Template is one entry of the catalogue.
type Template struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Version string `json:"version"`
	Summary string `json:"summary,omitempty"`
	// Modes are those that its sites may have; the first is that of new ones.
	Modes []string `json:"modes"`
}

// Token is an API token without its secret.
type Token struct {
	ID        string     `json:"id"`
	Label     string     `json:"label"`
	Scope     string     `json:"scope" bound:"one=read|write"` // read, write
	Admin     bool       `json:"admin"`
	Maker     string     `json:"maker"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	UsedAt    *time.Time `json:"used_at,omitempty"`
}

// NewToken asks for one.
type NewToken struct {
	Label string `json:"label" bound:"min=1,max=80"`
	Scope string `json:"scope" bound:"one=read|write"`
	Days  int    `json:"days,omitempty" bound:"min=0,max=366"` // 1 to 366; 0 is 90
}

// CreatedToken carries the secret, this once.
type CreatedToken struct {
	Token
	Secret string `json:"secret"`
}

// Account is who asks, as the panel sees them.
type Account struct {
	Kind         string            `json:"kind"` // person, token, local
	ID           string            `json:"id,omitempty"`
	Name         string            `json:"name"`
	Email        string            `json:"email,omitempty"`
	Admin        bool              `json:"admin"`
	SecondFactor bool              `json:"second_factor"`
	Memberships  map[string]string `json:"memberships"` // role by association slug
	Scopes       []string          `json:"scopes,omitempty"`
}

// AuditPage is a page of the audit trail, newest first.
type AuditPage struct {
	Items []AuditEntry `json:"items"`
	Next  string       `json:"next,omitempty"` // ask with before=…; absent on the last page
}

// AuditEntry is one line of the audit trail.
type AuditEntry struct {
	ID          int64     `json:"id"`
	At          time.Time `json:"at"`
	Kind        string    `json:"kind"` // of who acted: person, token, local, system
	Actor       string    `json:"actor,omitempty"`
	Name        string    `json:"name"`
	Address     string    `json:"address,omitempty"` // for co-op admins alone
	Act         string    `json:"act"`
	Association string    `json:"association,omitempty"` // slug, or the id of one that is gone
	Site        string    `json:"site,omitempty"`
	Operation   string    `json:"operation,omitempty"`
	Detail      string    `json:"detail,omitempty"`
}

// BreakGlassLink is the one-time way in while Keycloak is away.
type BreakGlassLink struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Diagnosis is what the doctor found.
type Diagnosis struct {
	Checks []Check `json:"checks"`
}

// Healthy reports whether no check is red.
func (d Diagnosis) Healthy() bool {
	for _, c := range d.Checks {
		if c.State == CheckRed {
			return false
		}
	}
	return true
}

// Check is one thing looked at.
type Check struct {
	Name   string     `json:"name"`
	State  CheckState `json:"state"`
	Found  string     `json:"found"`
	Advice string     `json:"advice,omitempty"` // what to do; never empty when red
}

// CheckState is a check's colour.
type CheckState string

// The colours.
const (
	CheckGreen CheckState = "green"
	CheckAmber CheckState = "amber"
	CheckRed   CheckState = "red"
)

// Finding is something the platform noticed and could not mend, or that people should know.
type Finding struct {
	Area    string            `json:"area"`
	Subject string            `json:"subject"`
	Code    string            `json:"code"`
	Args    map[string]string `json:"args,omitempty"`
	Level   string            `json:"level"` // note, attention, trouble
	Says    string            `json:"says"`  // in the asker's language
	Advice  string            `json:"advice,omitempty"`
	Since   time.Time         `json:"since"`
	Seen    time.Time         `json:"seen"`
	EndedAt *time.Time        `json:"ended_at,omitempty"` // absent: it still holds
}

// Health is the answer to the platform's own probe; it tells nothing about anyone.
type Health struct {
	Status string `json:"status"`
}
