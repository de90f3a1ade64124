package views

import "time"

// SignIn is where nobody is signed in: who we are and one button. Template sign-in.
type SignIn struct {
	Base
	Return string // path to come back to
}

func (SignIn) template() string { return "sign-in" }
func (SignIn) area() Area       { return AreaNone }

// SignInUnavailable is told (503) when Keycloak does not answer. Template sign-in-unavailable.
type SignInUnavailable struct {
	Base
	Return string
}

func (SignInUnavailable) template() string { return "sign-in-unavailable" }
func (SignInUnavailable) area() Area       { return AreaNone }

// BreakGlass is where the one-time admin link leads. Template break-glass. Posts csrf and key.
type BreakGlass struct {
	Base
	Key   string    // empty: the link was used or is too old
	Until time.Time // end of the link
}

func (BreakGlass) template() string { return "break-glass" }
func (BreakGlass) area() Area       { return AreaNone }

// Accessibility is the accessibility statement. Template accessibility.
type Accessibility struct {
	Base
	CheckedAt time.Time // of the last check; zero: not told
}

func (Accessibility) template() string { return "accessibility" }
func (Accessibility) area() Area       { return AreaNone }
