package provision

import (
	"context"
	"errors"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// telling returns the step with its refusals told apart from failures that pass: where our credentials are not accepted,
// trying again mends nothing and undoing would be refused as well, so the operation waits for a person.
func telling(step operations.Step) operations.Step {
	if observe := step.Observe; observe != nil {
		step.Observe = func(ctx context.Context, r *operations.Run) (bool, error) {
			there, err := observe(ctx, r)
			return there, refusal(err)
		}
	}
	for _, fn := range []*func(context.Context, *operations.Run) error{&step.Do, &step.Verify, &step.Undo} {
		if effect := *fn; effect != nil {
			*fn = func(ctx context.Context, r *operations.Run) error { return refusal(effect(ctx, r)) }
		}
	}
	return step
}

func refusal(err error) error {
	if errors.Is(err, tenants.ErrRefused) {
		return operations.NeedsPerson(operations.CauseRefused, err)
	}
	return err
}
