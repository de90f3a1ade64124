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

// askLimit is shorter than any client waits for a resolver.
const askLimit = 1500 * time.Millisecond

// listed is the names table with the gateway before it: a name that the site
// may not reach at all does not exist, so that even a program that only opens
// a connection sees it fail. The gateway decides again when a connection comes.
type listed struct {
	*names.Table
	socket string
	report func(error)
	listen func(ports []int) // makes sure that connections to these ports are taken
}

// Address asks the gateway, each time: lists change while a site runs.
func (l listed) Address(ctx context.Context, name string) (netip.Addr, error) {
	if l.socket == "" {
		return netip.Addr{}, fmt.Errorf("%w: there is no way out", resolver.ErrUnknown)
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	ports, err := forward.Known(ctx, l.socket, name)
	if errors.Is(err, forward.ErrForbidden) {
		return netip.Addr{}, fmt.Errorf("%w: %w", resolver.ErrUnknown, err)
	}
	if err != nil {
		l.report(err)
		return netip.Addr{}, err
	}
	// Before the answer: the asker connects right behind it, maybe to a port
	// that the list got after the container was made.
	l.listen(ports)
	return l.Table.Address(name)
}
