package views

// Trouble is any answer that is not what was asked for. Template trouble.
type Trouble struct {
	Base
	Kind      TroubleKind
	RequestID string   // told for TroubleInternal and TroubleUnavailable
	Helpers   []string // people who can help: "Léa Martin (gestion)"
	Back      string   // a path that works; "" leads home
	Wait      int      // TroubleTooMany: minutes until another try
	Return    string   // TroubleSecondFactor: where to come back to
}

func (Trouble) template() string { return "trouble" }
func (Trouble) area() Area       { return AreaNone }

// TroubleKind is what stands in the way.
type TroubleKind string

// The kinds of trouble, each with the status the panel answers it with.
const (
	TroubleMalformed    TroubleKind = "malformed"     // 400
	TroubleRefused      TroubleKind = "refused"       // 403, who can help
	TroubleManagersOnly TroubleKind = "managers-only" // 403
	TroubleCoopOnly     TroubleKind = "coop-only"     // 403, a manager who would undo what the co-op did
	TroubleSignIn       TroubleKind = "sign-in"       // 400, an answer that fits no sign-in of this browser
	TroubleCookies      TroubleKind = "cookies"       // 400, the browser did not keep our cookie
	TroubleSecondFactor TroubleKind = "second-factor" // 403, an admin without it
	TroubleStaleForm    TroubleKind = "stale-form"    // 403, CSRF token too old
	TroubleNotFound     TroubleKind = "not-found"     // 404
	TroubleConflict     TroubleKind = "conflict"      // 409, something else is at work
	TroubleGone         TroubleKind = "gone"          // 410
	TroubleTooLarge     TroubleKind = "too-large"     // 413
	TroubleTooMany      TroubleKind = "too-many"      // 429
	TroubleInternal     TroubleKind = "internal"      // 500, with the request id
	TroubleUnavailable  TroubleKind = "unavailable"   // 503, sites not affected
	TroubleIdentityDown TroubleKind = "identity-down" // 503, a dangerous act while Keycloak is away
)
