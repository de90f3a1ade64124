package operations

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"sync/atomic"
)

// Step is one external effect. Each of its functions is idempotent and may run again after a kill.
//
// The runner calls Observe first: when the effect is already there (from a predecessor that was killed before the commit),
// Do is skipped. Then come Do, Verify and the commit of the row. Undo removes the effect and must succeed when there is
// nothing to remove. Verify and Undo may be nil; Observe may be nil when Do costs nothing.
type Step struct {
	Name  string
	Pivot bool // once this step is done, the operation can only go forward
	// Cancellable has the context of Observe, Do and Verify cancelled within seconds when somebody cancels the operation, if
	// that is still possible. Without it, the step runs to its end first.
	Cancellable bool
	Observe     func(ctx context.Context, r *Run) (there bool, err error)
	Do          func(ctx context.Context, r *Run) error
	Verify      func(ctx context.Context, r *Run) error
	Undo        func(ctx context.Context, r *Run) error
}

// Plan is the list of steps of one kind of operation, in one version.
type Plan struct {
	Kind    string
	Version int
	Lane    Lane // "": Waiting
	// Holds returns what an operation of this plan holds while it is live. Nil: its subject, exclusively.
	Holds func(op Operation) []Hold
	Steps []Step
	// Finish writes the business outcome (the site is ready, the association exists) in the transaction that ends the
	// operation; Revert does so when it was undone. Side effects do not belong here.
	Finish func(ctx context.Context, r *Run) error
	Revert func(ctx context.Context, r *Run) error
}

// pivot returns the index of the pivot step, or len(Steps) when everything can be undone.
func (p Plan) pivot() int {
	for i, s := range p.Steps {
		if s.Pivot {
			return i
		}
	}
	return len(p.Steps)
}

// Registry holds every version of every plan.
type Registry struct {
	plans map[string]map[int]Plan
}

// NewRegistry returns a registry of the given plans. It panics when two have the same kind and version, or one has no
// steps: both are mistakes of the program, seen at start.
func NewRegistry(plans ...Plan) *Registry {
	r := &Registry{plans: map[string]map[int]Plan{}}
	for _, p := range plans {
		if len(p.Steps) == 0 || r.plans[p.Kind][p.Version].Steps != nil {
			panic(fmt.Sprintf("operations: plan %s v%d is empty or registered twice", p.Kind, p.Version))
		}
		if r.plans[p.Kind] == nil {
			r.plans[p.Kind] = map[int]Plan{}
		}
		r.plans[p.Kind][p.Version] = p
	}
	return r
}

// Plan returns the plan of a kind in a version; ErrUnknownPlan when this binary has none.
func (r *Registry) Plan(kind string, version int) (Plan, error) {
	p, ok := r.plans[kind][version]
	if !ok {
		return Plan{}, fmt.Errorf("finding plan %s v%d: %w", kind, version, ErrUnknownPlan)
	}
	return p, nil
}

// Latest returns the newest version of a plan.
func (r *Registry) Latest(kind string) (Plan, error) {
	best := -1
	for v := range r.plans[kind] {
		best = max(best, v)
	}
	return r.Plan(kind, best)
}

// All returns every plan, sorted by kind and version: tests that enumerate failure points start here.
func (r *Registry) All() []Plan {
	var out []Plan
	for _, versions := range r.plans {
		for _, p := range versions {
			out = append(out, p)
		}
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Kind != out[j].Kind {
			return out[i].Kind < out[j].Kind
		}
		return out[i].Version < out[j].Version
	})
	return out
}

// Run gives a step access to its operation.
type Run struct {
	Op       Operation
	results  map[string]json.RawMessage
	result   json.RawMessage
	progress atomic.Pointer[Progress]
}

// Spec decodes the operation's input.
func (r *Run) Spec(into any) error {
	if err := json.Unmarshal(r.Op.Spec, into); err != nil {
		return Permanent(CauseContradiction, fmt.Errorf("decoding the spec of operation %s: %w", r.Op.ID, err))
	}
	return nil
}

// SetResult keeps a value of this step for later ones; it is committed with the step.
func (r *Run) SetResult(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding a step's result: %w", err)
	}
	r.result = b
	return nil
}

// Result decodes what an earlier step kept; false when it kept nothing.
func (r *Run) Result(step string, into any) (bool, error) {
	b, ok := r.results[step]
	if !ok || len(b) == 0 {
		return false, nil
	}
	if err := json.Unmarshal(b, into); err != nil {
		return false, fmt.Errorf("decoding the result of step %s: %w", step, err)
	}
	return true, nil
}

// PastPivot reports whether the operation can only go forward.
func (p Plan) PastPivot(op Operation) bool {
	i := p.pivot()
	return i < len(op.Steps) && op.Steps[i].State == StepDone
}
