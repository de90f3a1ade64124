package provision

import (
	"context"
	"errors"
	"fmt"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// withErrorClass wraps a step so that its errors are classified: when our credentials are not accepted, retries and undoing
// fail as well, so the operation needs a person; on a full disk it waits.
func (p *Plans) withErrorClass(step operations.Step) operations.Step {
	if observe := step.Observe; observe != nil {
		step.Observe = func(ctx context.Context, r *operations.Run) (bool, error) {
			there, err := observe(ctx, r)
			return there, p.classify(ctx, err)
		}
	}
	for _, fn := range []*func(context.Context, *operations.Run) error{&step.Do, &step.Verify, &step.Undo} {
		if effect := *fn; effect != nil {
			*fn = func(ctx context.Context, r *operations.Run) error { return p.classify(ctx, effect(ctx, r)) }
		}
	}
	return step
}

func (p *Plans) classify(ctx context.Context, err error) error {
	if errors.Is(err, tenants.ErrRefused) {
		return operations.NeedsPerson(operations.CauseRefused, err)
	}
	return ClassifyDiskFull(ctx, p.Disk, err)
}

// DiskSpace checks for free disk space.
type DiskSpace interface {
	Room(ctx context.Context, need int64) error
}

// ClassifyDiskFull attributes an error to a full disk if it says so itself, or if the reserve of the data root is used up: a
// database without disk space hangs, an application answers nonsense, and retries would not help. The operation then waits
// until there is space, and shows how much is missing.
func ClassifyDiskFull(ctx context.Context, disk DiskSpace, err error) error {
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

// withDiskCheck wraps a step so that an operation that waits for disk space does not run it before there is some. Plans that
// free space have no such steps: a purge must continue.
func (p *Plans) withDiskCheck(step operations.Step) operations.Step {
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
