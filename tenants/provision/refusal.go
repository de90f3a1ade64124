package provision

import (
	"context"
	"errors"
	"fmt"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// telling returns the step with its failures told apart: where our credentials are not accepted, trying again mends
// nothing and undoing would be refused as well, so the operation waits for a person; a full disk is waited out.
func (p *Plans) telling(step operations.Step) operations.Step {
	if observe := step.Observe; observe != nil {
		step.Observe = func(ctx context.Context, r *operations.Run) (bool, error) {
			there, err := observe(ctx, r)
			return there, p.told(ctx, err)
		}
	}
	for _, fn := range []*func(context.Context, *operations.Run) error{&step.Do, &step.Verify, &step.Undo} {
		if effect := *fn; effect != nil {
			*fn = func(ctx context.Context, r *operations.Run) error { return p.told(ctx, effect(ctx, r)) }
		}
	}
	return step
}

func (p *Plans) told(ctx context.Context, err error) error {
	if errors.Is(err, tenants.ErrRefused) {
		return operations.NeedsPerson(operations.CauseRefused, err)
	}
	return Full(ctx, p.Disk, err)
}

// Roomy tells whether there is room.
type Roomy interface {
	Room(ctx context.Context, need int64) error
}

// Full puts a failure down to the disk when it says so itself, or when the reserve of the data root is eaten: a database
// without room hangs, an application answers nonsense, and no number of tries would make it fit. The operation
// waits until there is room, and says how much is missing.
func Full(ctx context.Context, disk Roomy, err error) error {
	if err == nil || disk == nil || errors.Is(err, operations.ErrFenced) || ctx.Err() != nil {
		return err
	}
	missing := disk.Room(ctx, 0)
	switch {
	case errors.Is(missing, tenants.ErrDiskFull):
		return operations.Waits(operations.CauseDiskFull, fmt.Errorf("%w (%w)", missing, err))
	case errors.Is(err, tenants.ErrDiskFull):
		return operations.Waits(operations.CauseDiskFull, err)
	}
	return err
}

// roomy returns the step so that it does not even begin again while an operation that met a full disk still has no room.
// Plans that give room back have no such steps: a purge must go on.
func (p *Plans) roomy(step operations.Step) operations.Step {
	do := step.Do
	step.Do = func(ctx context.Context, r *operations.Run) error {
		if r.Op.Problem == string(operations.CauseDiskFull) {
			if err := p.Disk.Room(ctx, 0); errors.Is(err, tenants.ErrDiskFull) {
				return operations.Waits(operations.CauseDiskFull, err)
			}
		}
		return do(ctx, r)
	}
	return step
}
