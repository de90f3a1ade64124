// Package tenants is the domain of a hosting co-op: associations, their members, their sites, who may do what.
//
// It does no I/O and knows no database, no container engine and no web framework; rooms below it adapt those.
// Start reading at Site and Authorize.
package tenants

import (
	"crypto/rand"
	"time"
)

// Association is a tenant: a small association the co-op hosts.
type Association struct {
	ID   string // "a" and nine characters, never reused
	Slug string // immutable: it names the association's groups in Keycloak
	Name string // as the members write it
	// GroupID is Keycloak's id of /assos/<slug>, empty until the group exists. Paths may be renamed by hand, ids not.
	GroupID   string
	State     AssociationState
	CreatedAt time.Time
}

// AssociationState says whether an association can be worked with.
type AssociationState string

// The states of an association.
const (
	AssociationCreating AssociationState = "creating" // its groups are being made
	AssociationActive   AssociationState = "active"
	AssociationDeleted  AssociationState = "deleted" // creation undone; the row stays for the audit trail
)

// Member is a person as Keycloak last described them to us.
type Member struct {
	Subject     string // Keycloak's stable user id ("sub")
	Username    string
	Name        string
	Email       string
	CoopAdmin   bool
	Memberships map[string]Role // by association slug
	SeenAt      time.Time       // when Keycloak last told us so
}

// Role is what a person is in one association.
type Role string

// The roles inside an association, from Keycloak's groups /assos/<slug>/{gestion,membres}.
const (
	RoleManager Role = "manager"
	RoleMember  Role = "member"
)

// idAlphabet has 32 signs, so that one random byte gives one sign without bias; i, l, o and u are left out as people misread them.
const idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// idLength keeps socket paths far below the 107 bytes the kernel allows and still leaves 45 random bits.
const idLength = 9

// NewSiteID returns a fresh random site id, such as "s7k2m9qx4p".
func NewSiteID() string { return "s" + randomSigns(idLength) }

// NewAssociationID returns a fresh random association id, such as "a0c4n8vtz3".
func NewAssociationID() string { return "a" + randomSigns(idLength) }

func randomSigns(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program rather than return an error
	for i := range b {
		b[i] = idAlphabet[b[i]%byte(len(idAlphabet))]
	}
	return string(b)
}
