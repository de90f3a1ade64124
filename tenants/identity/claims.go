package identity

import (
	"regexp"
	"strings"
	"time"

	"chatiere/tenants"
)

// Claims are the fields of an ID token that are used.
type Claims struct {
	Subject  string   `json:"sub"`
	SID      string   `json:"sid"`
	Nonce    string   `json:"nonce"`
	AZP      string   `json:"azp"`
	Username string   `json:"preferred_username"`
	Name     string   `json:"name"`
	Email    string   `json:"email"`
	Verified any      `json:"email_verified"` // some issuers give a text
	Groups   []string `json:"groups"`
	ACR      string   `json:"acr"`
	AuthTime int64    `json:"auth_time"`
	Access   map[string]struct {
		Roles []string `json:"roles"`
	} `json:"resource_access"` // roles by client
}

// member returns the person that the token names, without any rights.
func (c Claims) member(now time.Time) tenants.Member {
	name := c.Name
	if name == "" {
		name = c.Username
	}
	return tenants.Member{
		Subject: c.Subject, Username: c.Username, Name: name, Email: c.verifiedEmail(), Memberships: map[string]tenants.Role{},
		SeenAt: now,
	}
}

// verifiedEmail is the address that the issuer vouches for. At Keycloak's account page people can write any they like,
// which makes it unverified; one without proof counts for nothing here.
func (c Claims) verifiedEmail() string {
	if c.Verified == true || c.Verified == "true" {
		return c.Email
	}
	return ""
}

// slugForm is what an association's slug looks like.
var slugForm = regexp.MustCompile(`^[a-z0-9](-?[a-z0-9]){1,39}$`)

// groupRights reads full group paths segment by segment: a group called "gestion" elsewhere in the tree means nothing.
// The issuer must escape slashes in names, or a group called "coop/admins" would be read as the co-op's.
func groupRights(groups []string) (admin bool, memberships map[string]tenants.Role) {
	memberships = map[string]tenants.Role{}
	for _, path := range groups {
		p := strings.Split(path, "/")
		switch {
		case len(p) == 3 && p[0] == "" && p[1] == "coop" && p[2] == "admins":
			admin = true
		case len(p) == 4 && p[0] == "" && p[1] == "assos":
			addMembership(memberships, p[2], p[3])
		}
	}
	return admin, memberships
}

// roleRights reads the roles of the panel's own client, which only those can make who administer that client:
// "coop-admins", "gestion:<slug>", "membres:<slug>".
func roleRights(roles []string) (admin bool, memberships map[string]tenants.Role) {
	memberships = map[string]tenants.Role{}
	for _, role := range roles {
		if role == "coop-admins" {
			admin = true
		}
		if kind, slug, ok := strings.Cut(role, ":"); ok {
			addMembership(memberships, slug, kind)
		}
	}
	return admin, memberships
}

// addMembership adds the role for a group or client role of an association; the higher one counts.
func addMembership(memberships map[string]tenants.Role, slug, kind string) {
	switch {
	case !slugForm.MatchString(slug):
	case kind == "gestion":
		memberships[slug] = tenants.RoleManager
	case kind == "membres" && memberships[slug] == "":
		memberships[slug] = tenants.RoleMember
	}
}

// strongACR is how we ask for the second factor.
const strongACR = "mfa"

// SecondFactor reports whether a level of authentication is the second factor: by the realm's name for it, or by its number.
func SecondFactor(acr string) bool { return acr == strongACR || acr == "2" }
