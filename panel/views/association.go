package views

import (
	"net/url"
	"time"
)

// Associations is the list of associations. Template associations.
type Associations struct {
	Base
	Query        string
	Associations []AssociationRow
	Total        int // without the search
	Create       bool
	Journal      bool // whether the reader may see the co-op's
}

func (Associations) template() string { return "associations" }
func (Associations) area() Area       { return AreaAssociations }

// AssociationRow is an association in a list.
type AssociationRow struct {
	Slug     string
	Name     string
	Sites    int
	Members  int
	Disk     Amount
	Creating bool // its creation is at work
}

// Association is the page of one association. Template association.
type Association struct {
	Base
	Slug         string
	Name         string
	CreatedAt    time.Time
	Sites        []SiteRow
	Members      []Member
	MembersKnown bool // false: Keycloak did not answer, Members is what was last known
	Running      *OperationRow
	CreateSite   bool
	Journal      bool   // whether the reader may see it
	IdentityURL  string // where volunteers add people; "" hides the link
}

func (Association) template() string { return "association" }

func (p Association) area() Area {
	if sitesArea(p.Base) == AreaMySites {
		return AreaMySites
	}
	return AreaAssociations
}

// Managers counts the members in charge.
func (p Association) Managers() int {
	n := 0
	for _, m := range p.Members {
		if m.Manager {
			n++
		}
	}
	return n
}

// Member is one person of an association.
type Member struct {
	Name     string
	Username string
	Manager  bool
	Subject  string // leads the co-op to the person's page; "" for others
}

// NewAssociation is the form for a new association. Template association-new. Fields posted: csrf,
// once, name, slug.
type NewAssociation struct {
	Base
	Name     Field
	Slug     Field
	Proposal string // a free slug
	Once     string // hidden value that makes a double click one request
}

func (NewAssociation) template() string { return "association-new" }
func (NewAssociation) area() Area       { return AreaAssociations }

// ProposalPath leads to the same form with the free identifier filled in.
func (p NewAssociation) ProposalPath() string {
	return PathNewAssociation + "?" + url.Values{"name": {p.Name.Value}, "slug": {p.Proposal}}.Encode()
}
