package provision

import (
	"context"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// stepStopUnbound stops a container that still holds directories which are no longer there, since only a start binds the new
// ones, and one that shall be started anew.
func (p *Plans) stepStopUnbound() operations.Step {
	return operations.Step{
		Name: "unbind",
		Observe: func(ctx context.Context, r *operations.Run) (bool, error) {
			var w Spec
			if err := r.Spec(&w); err != nil || w.Restart {
				return false, err
			}
			return p.observeSite(p.hasSockets)(ctx, r)
		},
		Do: p.onSite(p.stopContainers),
	}
}

// stepSockets makes the sockets' directories again, which are lost at a reboot where run/ lies in memory. It must not
// make the data's: an empty one in the place of a lost one would hide the loss.
func (p *Plans) stepSockets() operations.Step {
	return operations.Step{
		Name:    "sockets",
		Observe: p.observeSite(p.hasSockets),
		Do: p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
			return p.Disk.EnsureSockets(ctx, s)
		}),
	}
}

func (p *Plans) hasSockets(ctx context.Context, s tenants.Site) (bool, error) {
	_, sockets, err := p.Disk.Has(ctx, s)
	return sockets, err
}
