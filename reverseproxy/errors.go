package reverseproxy

import "errors"

var (
	// ErrOptions is an incomplete or contradictory set of Options.
	ErrOptions = errors.New("unusable proxy options")
)
