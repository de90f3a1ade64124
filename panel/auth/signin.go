package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/identity"
)

// Flow is a sign-in that has begun and waits for the issuer's answer.
type Flow struct {
	State     Hash // of the state parameter: the key
	Binding   Hash // of the browser's short-lived cookie
	Nonce     string
	Verifier  string // PKCE
	Return    string
	StepUp    bool
	ExpiresAt time.Time
}

// flowLife is how long a person may take at the issuer's pages: longer than Keycloak lets one of them lie open (half an
// hour), after which it begins again by itself with our request.
const flowLife = time.Hour

// SignIn is the code flow with PKCE, state and nonce.
type SignIn struct {
	Flows    FlowStore
	Sessions *Sessions
	Provider *identity.Provider
	Audit    Auditor
	Now      func() time.Time
	Log      *slog.Logger
}

// Start is the input of a sign-in.
type Start struct {
	Return   string // where to come back to; anything but a local path becomes "/"
	StepUp   bool   // the second factor is a condition
	Language string // for the issuer's pages
	Binding  string // the short-lived cookie the browser has already, from another tab
}

// Redirect is the address to send the browser to, and the value of its short-lived cookie.
type Redirect struct {
	URL     string
	Binding string
	Expires time.Time
}

// Begin answers tenants.ErrUnavailable when the issuer is away.
func (s *SignIn) Begin(ctx context.Context, start Start) (Redirect, error) {
	state, binding := randomSecret(), start.Binding
	if len(binding) != len(state) {
		binding = randomSecret()
	}
	f := Flow{
		State: hashOf(state), Binding: hashOf(binding), Nonce: randomSecret(), Verifier: randomSecret(),
		Return: LocalPath(start.Return), StepUp: start.StepUp, ExpiresAt: s.Now().Add(flowLife),
	}
	address, err := s.Provider.AuthURL(ctx, identity.AuthRequest{
		State: state, Nonce: f.Nonce, Verifier: f.Verifier, StepUp: f.StepUp, Language: start.Language,
	})
	if err != nil {
		return Redirect{}, err
	}
	if err := s.Flows.InsertFlow(ctx, f); err != nil {
		return Redirect{}, fmt.Errorf("storing sign-in: %w", err)
	}
	return Redirect{URL: address, Binding: binding, Expires: f.ExpiresAt}, nil
}

// Callback is the content of the issuer's redirect and of the browser's cookies.
type Callback struct {
	State, Code, Issuer, Error string
	Binding                    string // the short-lived cookie
	Session                    string // the session cookie of before, if any: it ends
	Origin                     Origin
}

// OpenedSession is the result of a completed sign-in.
type OpenedSession struct {
	Session  Session
	Cookie   string
	ReturnTo string
}

// ExpiredFlow is an ErrFlow for a sign-in of this browser that took too long and may begin again.
type ExpiredFlow struct {
	Return string
	StepUp bool
}

// Error implements error.
func (*ExpiredFlow) Error() string { return "sign-in out of date" }

// Unwrap makes it an ErrFlow.
func (*ExpiredFlow) Unwrap() error { return ErrFlow }

// Finish checks the callback, opens a session under a new id and ends the browser's former one. It returns ErrFlow
// (as ErrNoCookie or *ExpiredFlow where that is the reason), ErrRefused, ErrWeak, or tenants.ErrUnavailable.
func (s *SignIn) Finish(ctx context.Context, a Callback) (OpenedSession, error) {
	f, err := s.takeFlow(ctx, a)
	if err != nil {
		return OpenedSession{}, err
	}
	g, err := s.Provider.Exchange(ctx, a.Code, f.Verifier)
	if errors.Is(err, identity.ErrGrant) || errors.Is(err, identity.ErrToken) {
		return OpenedSession{}, fmt.Errorf("%w: %w", ErrFlow, err)
	}
	if err != nil {
		return OpenedSession{}, err
	}
	if subtle.ConstantTimeCompare([]byte(g.Claims.Nonce), []byte(f.Nonce)) != 1 {
		return OpenedSession{}, fmt.Errorf("nonce differs: %w", ErrFlow)
	}
	if f.StepUp && !identity.SecondFactor(g.Claims.ACR) {
		return OpenedSession{}, fmt.Errorf("issuer says acr %q: %w", g.Claims.ACR, ErrWeak)
	}
	if err := s.Sessions.CloseCookie(ctx, a.Session); err != nil {
		return OpenedSession{}, err
	}
	x, cookie, err := s.Sessions.open(ctx, g, a.Origin)
	if err != nil {
		return OpenedSession{}, err
	}
	s.audit(ctx, x, a.Origin.Address)
	return OpenedSession{Session: x, Cookie: cookie, ReturnTo: f.Return}, nil
}

// takeFlow reads and removes the flow, and checks that the callback and the browser belong to it.
func (s *SignIn) takeFlow(ctx context.Context, a Callback) (Flow, error) {
	if a.State == "" {
		return Flow{}, fmt.Errorf("no state: %w", ErrFlow)
	}
	if a.Binding == "" {
		return Flow{}, ErrNoCookie
	}
	f, err := s.Flows.TakeFlow(ctx, hashOf(a.State))
	if errors.Is(err, tenants.ErrNotFound) {
		return Flow{}, fmt.Errorf("unknown state: %w", ErrFlow)
	}
	if err != nil {
		return Flow{}, fmt.Errorf("reading sign-in: %w", err)
	}
	binding := hashOf(a.Binding)
	switch {
	case subtle.ConstantTimeCompare(binding[:], f.Binding[:]) != 1:
		return Flow{}, fmt.Errorf("another browser's sign-in: %w", ErrFlow)
	case !s.Now().Before(f.ExpiresAt):
		return Flow{}, &ExpiredFlow{Return: f.Return, StepUp: f.StepUp}
	case a.Issuer != s.Provider.Issuer(): // RFC 9207; Keycloak always sends it
		return Flow{}, fmt.Errorf("answer of issuer %q: %w", a.Issuer, ErrFlow)
	case a.Error == "temporarily_unavailable" || a.Error == "server_error":
		return Flow{}, fmt.Errorf("issuer says %s: %w", a.Error, tenants.ErrUnavailable)
	case a.Error != "":
		return Flow{}, ErrRefused
	case a.Code == "":
		return Flow{}, fmt.Errorf("no code: %w", ErrFlow)
	}
	return f, nil
}

func (s *SignIn) audit(ctx context.Context, x Session, address string) {
	detail := ""
	if x.SecondFactor() {
		detail = "second factor"
	}
	err := s.Audit.Audit(ctx, tenants.AuditEntry{
		At: s.Now().UTC(), ActorKind: tenants.KindPerson, ActorID: x.Subject, ActorName: x.Name,
		Address: address, Action: "session.open", Detail: detail,
	})
	if err != nil {
		s.Log.ErrorContext(ctx, "audit entry not written", "action", "session.open", "error", err)
	}
}
