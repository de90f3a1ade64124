package dialer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Resolver finds a name's addresses; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// NetDialer opens a connection; *net.Dialer is one.
type NetDialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

const (
	resolveLimit = 5 * time.Second
	addressLimit = 4 * time.Second
	dialLimit    = 10 * time.Second
	maxAddresses = 8
)

// Dialer opens connections to public servers.
type Dialer struct {
	Permits   []Permit
	Resolver  Resolver
	NetDialer NetDialer
	// CacheTTL is how long the addresses of a name are cached; 0 resolves for each connection.
	CacheTTL time.Duration
	Now      func() time.Time // nil: time.Now

	cache cache
}

// Dial resolves the name once, or uses a cached answer, and dials the addresses it
// checked, one after the other. There is never a second look-up, which a hostile
// server could answer differently: NetDialer receives addresses only. Cached answers
// are checked again.
func (r *Dialer) Dial(ctx context.Context, name string, port uint16) (net.Conn, error) {
	// The final dot keeps search domains of the host's network out of it.
	host := name + "."
	addresses, err := r.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	checked, err := r.check(name, port, addresses)
	if err != nil {
		return nil, err
	}
	conn, err := r.dial(ctx, interleave(checked), port)
	if err != nil {
		r.cache.remove(host) // it may have moved
	}
	return conn, err
}

func (r *Dialer) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveLimit)
	defer cancel()
	addresses, err := r.lookup(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrResolve, err)
	}
	if len(addresses) == 0 {
		return nil, fmt.Errorf("%w: no address", ErrResolve)
	}
	return addresses[:min(len(addresses), maxAddresses)], nil
}

// check returns the addresses that may be dialled, or an error if none is left.
func (r *Dialer) check(name string, port uint16, addresses []netip.Addr) ([]netip.Addr, error) {
	var checked []netip.Addr
	var refusal error
	for _, address := range addresses {
		address = address.Unmap()
		err := CheckPublic(address)
		if err != nil && !r.permitted(name, port, address) {
			refusal = err
			continue
		}
		checked = append(checked, address)
	}
	if len(checked) == 0 {
		return nil, refusal
	}
	return checked, nil
}

func (r *Dialer) permitted(name string, port uint16, address netip.Addr) bool {
	for _, p := range r.Permits {
		if p.covers(name, port, address) {
			return true
		}
	}
	return false
}

func (r *Dialer) dial(ctx context.Context, addresses []netip.Addr, port uint16) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	var failures []error
	for _, address := range addresses {
		conn, err := r.dialOne(ctx, netip.AddrPortFrom(address, port))
		if err == nil {
			return conn, nil
		}
		failures = append(failures, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrDial, errors.Join(failures...))
}

func (r *Dialer) dialOne(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, addressLimit)
	defer cancel()
	return r.NetDialer.DialContext(ctx, "tcp", to.String())
}

// interleave alternates the address families, beginning with the resolver's first
// choice, so that one broken family does not use up all attempts.
func interleave(addresses []netip.Addr) []netip.Addr {
	var first, second []netip.Addr
	for _, a := range addresses {
		if a.Is4() == addresses[0].Is4() {
			first = append(first, a)
		} else {
			second = append(second, a)
		}
	}
	out := make([]netip.Addr, 0, len(addresses))
	for i := range max(len(first), len(second)) {
		if i < len(first) {
			out = append(out, first[i])
		}
		if i < len(second) {
			out = append(out, second[i])
		}
	}
	return out
}
