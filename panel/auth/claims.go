package auth

import (
	"strings"
	"time"

	"chatiere/tenants"
)

// claims is what we read of an ID token.
type claims struct {
	Subject  string   `json:"sub"`
	SID      string   `json:"sid"`
	Nonce    string   `json:"nonce"`
	AZP      string   `json:"azp"`
	Username string   `json:"preferred_username"`
	Name     string   `json:"name"`
	Email    string   `json:"email"`
	Groups   []string `json:"groups"`
	ACR      string   `json:"acr"`
	AuthTime int64    `json:"auth_time"`
}

func (c claims) member(now time.Time) tenants.Member {
	admin, memberships := rights(c.Groups)
	name := c.Name
	if name == "" {
		name = c.Username
	}
	return tenants.Member{
		Subject: c.Subject, Username: c.Username, Name: name, Email: c.Email,
		CoopAdmin: admin, Memberships: memberships, SeenAt: now,
	}
}

// rights reads full group paths segment by segment: a group called "gestion" elsewhere in the tree means nothing.
func rights(groups []string) (admin bool, memberships map[string]tenants.Role) {
	memberships = map[string]tenants.Role{}
	for _, path := range groups {
		p := strings.Split(path, "/")
		switch {
		case len(p) == 3 && p[0] == "" && p[1] == "coop" && p[2] == "admins":
			admin = true
		case len(p) == 4 && p[0] == "" && p[1] == "assos" && p[2] != "" && p[3] == "gestion":
			memberships[p[2]] = tenants.RoleManager
		case len(p) == 4 && p[0] == "" && p[1] == "assos" && p[2] != "" && p[3] == "membres":
			if memberships[p[2]] == "" {
				memberships[p[2]] = tenants.RoleMember
			}
		}
	}
	return admin, memberships
}

// strongACR is how we ask for the second factor.
const strongACR = "mfa"

// strong reports whether a level of authentication is the second factor: by the realm's name for it, or by its number.
func strong(acr string) bool { return acr == strongACR || acr == "2" }
