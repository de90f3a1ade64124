package provision

import (
	"context"
	"errors"
	"fmt"

	"chatiere/tenants"
)

// The containers of a release may share the network namespace of one of them, its owner. The engine binds them to that very
// container and to its present run: once it is made again they cannot be started, and once it is started again they live on
// in a namespace that nothing else is in. Neither is seen from their state.

// network is how a container stands to the owner of its network.
type network int

const (
	networkFine   network = iota // also of a container that has its own, or is not there
	networkStale                 // it runs in a namespace of before its owner's last start: it must be started again
	networkRemade                // its owner is another container by now: it must be made again
)

func (p *Plans) network(ctx context.Context, spec tenants.ContainerSpec) (network, error) {
	if spec.NetworkOwner() == "" {
		return networkFine, nil
	}
	have, err := p.Engine.Inspect(ctx, spec.Name)
	if errors.Is(err, tenants.ErrNotFound) {
		return networkFine, nil
	}
	if err != nil {
		return networkFine, err
	}
	owner, err := p.Engine.Inspect(ctx, spec.NetworkOwner())
	switch {
	case errors.Is(err, tenants.ErrNotFound), err == nil && owner.ID != have.NetworkOwner():
		return networkRemade, nil
	case err != nil:
		return networkFine, err
	case have.Running() && !(owner.Running() && owner.StartedAt.Before(have.StartedAt)):
		return networkStale, nil
	}
	return networkFine, nil
}

// rejoin prepares a container for its start in the network that its owner has now.
func (p *Plans) rejoin(ctx context.Context, s tenants.Site, spec tenants.ContainerSpec) error {
	state, err := p.network(ctx, spec)
	switch {
	case err != nil || state == networkFine:
		return err
	case state == networkStale:
		return p.Engine.Stop(ctx, spec.Name, stopGrace)
	}
	if err := p.Engine.Remove(ctx, spec.Name); err != nil {
		return fmt.Errorf("removing a container whose network is gone: %w", err)
	}
	return p.createContainer(ctx, s, spec)
}

// networkGone reports whether a container shares the network of one that is not there any more, under whatever name: it could
// never be started again.
func (p *Plans) networkGone(ctx context.Context, c tenants.Container) (bool, error) {
	if c.NetworkOwner() == "" {
		return false, nil
	}
	_, err := p.Engine.Inspect(ctx, c.NetworkOwner())
	if errors.Is(err, tenants.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// connected reports whether all containers of the site's release are in the network of their owner.
func (p *Plans) connected(ctx context.Context, s tenants.Site) (bool, error) {
	if len(s.Release.Containers) < 2 {
		return true, nil
	}
	specs, err := p.specs(ctx, s)
	if err != nil {
		return false, err
	}
	for _, spec := range specs {
		if state, err := p.network(ctx, spec); err != nil || state != networkFine {
			return false, err
		}
	}
	return true, nil
}
