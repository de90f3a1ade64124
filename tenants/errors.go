package tenants

import (
	"errors"
	"fmt"
)

// Errors of the domain. Adapters wrap them; the panel maps them to a status in one table.
var (
	// ErrNotFound also hides what the asker may not know exists.
	ErrNotFound = errors.New("not found")
	// ErrForbidden: the asker may know it exists, but may not do this.
	ErrForbidden = errors.New("not allowed")
	// ErrCoopOnly is an ErrForbidden for a manager who would undo what the co-op asked for.
	ErrCoopOnly = fmt.Errorf("the co-op asked for it: %w", ErrForbidden)
	// ErrStepUp: allowed, once the asker has proved a second factor.
	ErrStepUp = errors.New("second factor needed")
	// ErrUnauthenticated: nobody is signed in.
	ErrUnauthenticated = errors.New("not signed in")
	// ErrConflict: the wish contradicts what is there (a taken name, an operation under way).
	ErrConflict = errors.New("conflict")
	// ErrUnavailable: something the wish needs does not answer now.
	ErrUnavailable = errors.New("unavailable")
	// ErrRefused: something the wish needs does not accept our credentials or grants us too little. Trying again mends nothing.
	ErrRefused = errors.New("credentials refused")
	// ErrDiskFull: less room than needed above the reserve.
	ErrDiskFull = errors.New("disk full")
	// ErrDamaged: stored bytes are missing, or are not those that were stored.
	ErrDamaged = errors.New("damaged")
	// ErrInvalid is the parent of every Fault.
	ErrInvalid = errors.New("invalid")
)

// Fault says what is wrong with one field of a wish, by a code that the pages translate.
type Fault struct {
	Field string // "host", "name", "template", …
	Code  string // "taken", "reserved", "malformed", "missing", "too_long", …
	// Proposal is a value that would be accepted, if one was found.
	Proposal string
}

// Faults is every fault of a wish at once. It matches ErrInvalid.
type Faults []Fault

// Error lists fields and codes, for logs.
func (f Faults) Error() string {
	s := "invalid:"
	for _, x := range f {
		s += " " + x.Field + "=" + x.Code
	}
	return s
}

// Is makes errors.Is(err, ErrInvalid) true.
func (f Faults) Is(target error) bool { return target == ErrInvalid }
