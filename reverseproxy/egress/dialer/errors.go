package dialer

import "errors"

var (
	// ErrNotPublic means that an address is private, loopback or otherwise not public.
	ErrNotPublic = errors.New("address not public")
	// ErrPermit says that an exception cannot be read.
	ErrPermit = errors.New("expected name:port, address:port or a range such as 10.1.0.0/16")
	// ErrResolve says that a name has no address, or that none was found in time.
	ErrResolve = errors.New("resolving name")
	// ErrDial says that none of the checked addresses answered.
	ErrDial = errors.New("dialling")
)
