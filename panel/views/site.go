package views

import (
	"net/url"
	"slices"
	"time"
)

// Amount is a figure that may be unknown right now.
type Amount struct {
	Known bool
	Value int64
}

// Known makes an Amount that is known.
func Known(n int64) Amount { return Amount{Known: true, Value: n} }

// SiteRow is a site in a list.
type SiteRow struct {
	ID              string
	Name            string
	Host            string
	URL             string // https://…; "" when there is nothing to open
	Template        string // as people say it: "WordPress"
	Association     string
	AssociationSlug string
	State           SiteState
	Checked         time.Time // of the last probe; zero: never, or the state needs none
	RequestsToday   Amount
	Disk            Amount // bytes
	Update          bool   // offered to volunteers: its template has changed since it was made or updated
}

// Today is the home of co-op admins. Template today.
type Today struct {
	Base
	Needs      []Need
	SitesTotal int
	SitesUp    int
	Running    []OperationRow
	Sites      []SiteRow // the first ones, worst state first

	AssociationsTotal int // 0: the page proposes to create one first
}

func (Today) template() string { return "today" }
func (Today) area() Area       { return AreaToday }

// Need is one thing that waits for a person.
type Need struct {
	Kind   NeedKind
	Name   string // site's address, server's or association's name
	Path   string // where to look; "" hides the button
	Cause  Cause
	Number int       // NeedDiskFull: percent; NeedUpdates: sites
	Since  time.Time // zero: not told
}

// NeedKind names what needs a person.
type NeedKind string

// What can need a person.
const (
	NeedSiteDown    NeedKind = "site-down"
	NeedOperation   NeedKind = "operation" // an operation needs a person
	NeedDiskFull    NeedKind = "disk-full"
	NeedCertificate NeedKind = "certificate"
	NeedUnknown     NeedKind = "unknown-object" // something no record knows
	NeedWorker      NeedKind = "worker"
	NeedIdentity    NeedKind = "identity"
	NeedAccess      NeedKind = "access"   // somebody asks that a site may reach a name
	NeedUpdates     NeedKind = "updates"  // sites whose templates have changed since
	NeedFindings    NeedKind = "findings" // the page of the platform tells what
)

// Sites is the list of sites for co-op admins. Template sites.
type Sites struct {
	Base
	Query  string
	Sites  []SiteRow
	Total  int  // without the search
	Create bool // shows "New site"
}

func (Sites) template() string { return "sites" }
func (Sites) area() Area       { return AreaSites }

// MySites is the home of members and managers. Template my-sites.
type MySites struct {
	Base
	Sites  []SiteRow
	Create bool
}

func (MySites) template() string { return "my-sites" }
func (MySites) area() Area       { return AreaMySites }

// Site is the page of one site. Template site.
type Site struct {
	Base
	SiteRow
	Mine          bool      // "your site": the reader is a member of its association
	CheckedAt     time.Time // of the last probe; zero: never
	CreatedAt     time.Time
	BinnedUntil   time.Time // SiteBinned
	DiskLimit     int64     // bytes; 0: not told
	RequestsSince time.Time // from when today's count runs; zero: midnight
	People        People
	Running       *OperationRow // what is being done to it now
	History       []OperationRow
	May           SiteActs
	Findings      []Finding  // what was noticed about it, for those who may know
	Backups       *Backups   // nil for a site that has no data any more, and while it cannot be told
	Mail          *Mailbox   // nil for those who may not know, and while it cannot be told
	Egress        bool       // leads to what it tried to reach
	Mode          string     // "" where there is nothing to choose from
	Modes         []string   // others that it can be brought into, for those who may
	Technical     *Technical // nil for those who do not want to know
}

func (Site) template() string { return "site" }

func (p Site) area() Area {
	if p.Mine {
		return AreaMySites
	}
	return AreaSites
}

// SiteActs says which acts the page offers. Enter leads to the site's own administration.
type SiteActs struct{ Suspend, Resume, Update, Delete, Restore, Purge, Enter bool }

// Any tells whether there is any act to offer that changes the site as a whole.
func (a SiteActs) Any() bool {
	return a.Suspend || a.Resume || a.Update || a.Delete || a.Restore || a.Purge
}

// People counts who may enter a site.
type People struct{ Total, Managers int }

// Technical is what a volunteer may want one click deeper.
type Technical struct {
	Version   string
	UID       int
	Container string
	Database  string
	DataPath  string
	MemoryMiB int
}

// NewSite is the form for a new site. Template site-new. Fields posted: csrf, once, association,
// template, mode, name, host (without the suffix).
type NewSite struct {
	Base
	Associations []Choice // more than one shows a list to choose from
	Templates    []TemplateChoice
	Suffix       string // ".lilas.coop"
	Port         string // ":8443", "" for the usual one; shown behind the suffix
	Association  Field  // slug
	Template     Field
	Mode         Field
	Name         Field
	Host         Field
	TakenBy      string // association that has the host, only when the reader may know
	Proposal     string // a free host, without the suffix
	Once         string // hidden value that makes a double click one request
}

func (NewSite) template() string { return "site-new" }
func (NewSite) area() Area       { return AreaSites }

// ProposalPath leads to the same form with the free host filled in.
func (p NewSite) ProposalPath() string {
	v := url.Values{"association": {p.Association.Value}, "template": {p.Template.Value}, "name": {p.Name.Value}, "host": {p.Proposal}}
	if p.Mode.Value != "" {
		v.Set("mode", p.Mode.Value)
	}
	return PathNewSite + "?" + v.Encode()
}

// Modes are those of the templates that leave a choice; none: there is nothing to choose.
func (p NewSite) Modes() []string {
	var modes []string
	for _, t := range p.Templates {
		for _, mode := range t.Modes {
			if len(t.Modes) > 1 && !slices.Contains(modes, mode) {
				modes = append(modes, mode)
			}
		}
	}
	return modes
}

// Chosen is the chosen association, when there is no doubt.
func (p NewSite) Chosen() Choice {
	for _, c := range p.Associations {
		if c.Value == p.Association.Value || len(p.Associations) == 1 {
			return c
		}
	}
	return Choice{}
}

// Choice is one entry of a list to choose from.
type Choice struct{ Value, Label string }

// TemplateChoice is one card of NewSite.
type TemplateChoice struct {
	Value   string
	Name    string
	Summary string // one sentence in the reader's language
	Modes   []string
}

// Bin is the list of what was deleted and can still come back. Template bin.
type Bin struct {
	Base
	Sites []BinnedSite
	Days  int // how long the bin keeps a site
}

func (Bin) template() string { return "bin" }
func (Bin) area() Area       { return AreaBin }

// BinnedSite is one site in the bin.
type BinnedSite struct {
	ID          string
	Name        string
	Host        string
	Association string
	BinnedAt    time.Time
	BinnedBy    string
	Until       time.Time
	Disk        Amount
	ByCoop      bool // the co-op put it there, and the reader may therefore not restore it
	Restore     bool
	Purge       bool
}
