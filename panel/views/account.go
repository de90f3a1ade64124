package views

import "time"

// Account is the page of the person signed in. Template account. The form for a token posts csrf,
// label, scope and days to PathTokens.
type Account struct {
	Base
	Username    string
	Email       string
	Rights      []Right
	Session     Session
	Sessions    []SessionRow // the person's, the one used last first; each posts to SessionEndPath, all to PathSessions + "/end"
	IdentityURL string       // Keycloak's account page: password, second factor; "" hides the link
	Tokens      []Token
	MayTokens   bool
	Scopes      []Scope // what a new token may be allowed to do
	Label       Field
	Scope       Field
	Days        Field
	Created     *CreatedToken // shown once, right after the creation
}

func (Account) template() string { return "account" }
func (Account) area() Area       { return AreaAccount }

// Right is what the person may do, and where.
type Right struct {
	Role        Role
	Association string // "" for the co-op
	Slug        string
}

// Session is how long this sign-in lasts.
type Session struct {
	Since       time.Time
	Until       time.Time // absolute limit
	IdleMinutes int       // without a request, after which it ends
	Second      bool      // signed in with a second factor
	RightsAt    time.Time // when rights were last read
	RightsStale bool      // Keycloak does not answer: last-known rights
	BreakGlass  bool
}

// IdleHours is the idle limit in whole hours.
func (s Session) IdleHours() int { return s.IdleMinutes / 60 }

// Token is an API token in the list; its secret is not known any more.
type Token struct {
	ID        string
	Label     string
	Scope     Scope
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	UsedAt    time.Time // zero: never
}

// Scope is what a token may do.
type Scope string

// The scopes of tokens.
const (
	ScopeRead  Scope = "read"
	ScopeWrite Scope = "write" // implies ScopeRead
)

// CreatedToken carries a new token's secret, shown this once.
type CreatedToken struct{ Label, Secret string }
