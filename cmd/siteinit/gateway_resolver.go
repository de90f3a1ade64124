package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"chatiere/cmd/siteinit/internal/forward"
	"chatiere/cmd/siteinit/internal/names"
	"chatiere/cmd/siteinit/internal/resolver"
)

// queryTimeout is shorter than the timeout of any client of a resolver.
const queryTimeout = 1500 * time.Millisecond

// gatewayResolver is the table of names with a query to the gateway first: a name
// that the site may not reach does not exist, so that even a program that only
// opens a connection sees it fail. The gateway decides again for each connection.
type gatewayResolver struct {
	*names.Table
	socket string
	report func(error)
	listen func(ports []int) // makes sure that connections to these ports are taken
}

// Address queries the gateway each time: lists change while a site runs.
func (l gatewayResolver) Address(ctx context.Context, name string) (netip.Addr, error) {
	if l.socket == "" {
		return netip.Addr{}, fmt.Errorf("%w: there is no egress", resolver.ErrUnknown)
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	ports, err := forward.AllowedPorts(ctx, l.socket, name)
	if errors.Is(err, forward.ErrForbidden) {
		return netip.Addr{}, fmt.Errorf("%w: %w", resolver.ErrUnknown, err)
	}
	if err != nil {
		l.report(err)
		return netip.Addr{}, err
	}
	// Before the answer: the client connects right after it, maybe to a port that
	// was added to the list after the container was made.
	l.listen(ports)
	return l.Table.Address(name)
}
