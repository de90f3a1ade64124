package egress

import (
	"errors"
	"fmt"
)

var (
	// ErrList says that an egress list cannot be used.
	ErrList = errors.New("egress list")
	// ErrChecksum says that a list file is not what was written.
	ErrChecksum = errors.New("checksum does not match")
	// ErrOptions says that the gateway cannot start as configured.
	ErrOptions = errors.New("gateway options")
	// ErrGroup says that a socket would belong to another group than the site's.
	ErrGroup = errors.New("gate directory does not belong to the site's group with its setgid bit")
	// ErrRequest says that a request is no well-formed CONNECT.
	ErrRequest = errors.New("malformed request")
	// errNoRequest says that nothing was asked: siteinit sees in this way whether the gateway is there.
	errNoRequest = fmt.Errorf("%w: connection closed without one", ErrRequest)
	// ErrMethod says that a request asks for something else than a tunnel.
	ErrMethod = errors.New("method not allowed")
	// ErrBareAddress says that an address was asked for, where only names may be.
	ErrBareAddress = errors.New("bare address")
	// ErrNotListed says that the site's list does not have the name.
	ErrNotListed = errors.New("name not in list")
	// ErrPortNotListed says that the list has the name, but not with that port.
	ErrPortNotListed = errors.New("port not in list")
	// ErrTooMany says that the site has as many tunnels as it may have.
	ErrTooMany = errors.New("too many tunnels")
	// ErrTooFast says that the site opens tunnels faster than it may.
	ErrTooFast = errors.New("too many attempts")
	// ErrFull says that all sites together have as many tunnels as there may be.
	ErrFull = errors.New("too many tunnels of all sites")
	// ErrMailPort says that a list names the port of mail servers, which stays
	// closed to sites: their mail goes through the relay.
	ErrMailPort = errors.New("port 25 is closed to sites, their mail goes through the relay")
	// ErrEdge says that our own proxy does not answer.
	ErrEdge = errors.New("own proxy not reachable")
)
