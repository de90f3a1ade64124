package auth

import (
	"errors"
	"fmt"
)

var (
	// ErrFlow: the answer of the issuer does not belong to a sign-in this browser began, or is out of date.
	ErrFlow = errors.New("sign-in not recognised")
	// ErrNoCookie is an ErrFlow: the browser did not keep the cookie by which it is known again.
	ErrNoCookie = fmt.Errorf("browser sent no cookie of its sign-in: %w", ErrFlow)
	// ErrRefused: the issuer (or the person, there) said no.
	ErrRefused = errors.New("sign-in refused by the issuer")
	// ErrWeak: a second factor was asked for and not given.
	ErrWeak = errors.New("second factor not proved")
	// ErrEnded: the session, token or link is unknown, over, or revoked.
	ErrEnded = errors.New("no longer valid")
	// ErrLimited: too many attempts from one address.
	ErrLimited = errors.New("too many tries")
)
