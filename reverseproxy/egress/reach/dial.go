package reach

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

// Dialer opens a connection; *net.Dialer is one.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

const (
	resolveLimit = 5 * time.Second
	addressLimit = 4 * time.Second
	dialLimit    = 10 * time.Second
	maxAddresses = 8
)

// Reacher opens connections to public servers.
type Reacher struct {
	Permits  []Permit
	Resolver Resolver
	Dialer   Dialer
	// Keep is how long addresses of a name are kept; 0 asks for each connection.
	Keep time.Duration
	Now  func() time.Time // nil: time.Now

	memory memory
}

// Dial resolves the name once, or takes what was answered a moment ago, and
// dials the addresses it checked, one after the other, families in turn. A
// second look-up, which a hostile server could answer differently, never
// happens: the dialer receives addresses only. Kept answers are checked again.
func (r *Reacher) Dial(ctx context.Context, name string, port uint16) (net.Conn, error) {
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
	conn, err := r.dial(ctx, inTurn(checked), port)
	if err != nil {
		r.memory.forget(host) // it may have moved
	}
	return conn, err
}

func (r *Reacher) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
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

// check keeps the addresses that may be dialled; with none left it says why.
func (r *Reacher) check(name string, port uint16, addresses []netip.Addr) ([]netip.Addr, error) {
	var checked []netip.Addr
	var refusal error
	for _, address := range addresses {
		address = address.Unmap()
		err := Refuse(address)
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

func (r *Reacher) permitted(name string, port uint16, address netip.Addr) bool {
	for _, p := range r.Permits {
		if p.covers(name, port, address) {
			return true
		}
	}
	return false
}

func (r *Reacher) dial(ctx context.Context, addresses []netip.Addr, port uint16) (net.Conn, error) {
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

func (r *Reacher) dialOne(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, addressLimit)
	defer cancel()
	return r.Dialer.DialContext(ctx, "tcp", to.String())
}

// inTurn alternates the families, beginning with the resolver's first choice,
// so that one broken family costs one attempt and not all of them.
func inTurn(addresses []netip.Addr) []netip.Addr {
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
