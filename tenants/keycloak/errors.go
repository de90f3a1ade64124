package keycloak

import "errors"

var (
	// ErrNotFound means that Keycloak answered and the thing asked for is not there.
	ErrNotFound = errors.New("not found in keycloak")
	// ErrRefused means that Keycloak does not accept our client or does not grant it the right that was needed.
	ErrRefused = errors.New("refused by keycloak")
	// ErrUnreachable means that no useful answer came: no connection, a time-out, or a fault on Keycloak's side.
	ErrUnreachable = errors.New("keycloak unreachable")
	// ErrConflict means that something else bears that name, user name or address already.
	ErrConflict = errors.New("already taken in keycloak")
	// ErrInvalid means that Keycloak understood and rejected what was sent.
	ErrInvalid = errors.New("rejected by keycloak")
	// ErrWeakPassword means that the realm's password policy does not accept the password.
	ErrWeakPassword = errors.New("password refused by the policy")
	// ErrForeign means that the thing exists and was not made by this instance, so it is left alone.
	ErrForeign = errors.New("not made by this instance")
	// ErrPath means that a group path is malformed or lies where it must not be touched.
	ErrPath = errors.New("group path not allowed")
	// ErrIssuer means that the realm that answers calls itself by another name than the configured issuer.
	ErrIssuer = errors.New("issuer mismatch")
)
