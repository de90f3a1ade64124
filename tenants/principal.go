package tenants

// Principal is who asks: a signed-in person, a token, the local socket, or nobody.
type Principal struct {
	Kind        PrincipalKind
	ID          string // Keycloak subject, token id, or "" for the local socket
	Name        string // for the audit trail and the page's corner
	Email       string
	CoopAdmin   bool            // belongs to /coop/admins, or a token that such a person made
	SecondFact  bool            // the session was opened with a second factor
	Memberships map[string]Role // by association slug
	Scopes      []Scope         // tokens only; a token never has more than its maker
}

// PrincipalKind tells the doors apart.
type PrincipalKind string

// The kinds of principals.
const (
	KindAnonymous PrincipalKind = "anonymous"
	KindPerson    PrincipalKind = "person"
	KindToken     PrincipalKind = "token"
	KindLocal     PrincipalKind = "local"  // the socket in run/cli, reachable by root on the server alone
	KindSystem    PrincipalKind = "system" // the worker itself: schedules, the bin's end
)

// Scope narrows a token.
type Scope string

// The scopes of tokens.
const (
	ScopeRead  Scope = "read"
	ScopeWrite Scope = "write" // implies ScopeRead
)

// Anonymous is nobody.
func Anonymous() Principal { return Principal{Kind: KindAnonymous} }

// Local is whoever can open the socket on the server: root, who could do everything anyway.
func Local() Principal {
	return Principal{Kind: KindLocal, Name: "local", CoopAdmin: true, SecondFact: true}
}

// System is the worker acting by itself.
func System() Principal {
	return Principal{Kind: KindSystem, Name: "chatiere", CoopAdmin: true, SecondFact: true}
}

// RoleIn returns the principal's role in the association, "" for none.
func (p Principal) RoleIn(slug string) Role { return p.Memberships[slug] }

func (p Principal) holds(s Scope) bool {
	if p.Kind != KindToken {
		return true
	}
	for _, have := range p.Scopes {
		if have == s || have == ScopeWrite {
			return true
		}
	}
	return false
}
