// Package findingstest holds findings in memory, for tests of those who write or read them.
package findingstest

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"chatiere/tenants"
)

// Records is a store of findings in memory. The zero value is empty; it is safe for concurrent use.
type Records struct {
	mu   sync.Mutex
	held []tenants.Finding
	// Broken is what every call answers when it is set, before first use.
	Broken error
}

func same(a, b tenants.Finding) bool {
	return a.Area == b.Area && a.Subject == b.Subject && a.Code == b.Code
}

// ReplaceFindings implements findings.Records.
func (r *Records) ReplaceFindings(_ context.Context, scope tenants.FindingScope, at time.Time, seen []tenants.Finding) (opened, ended []tenants.Finding, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Broken != nil {
		return nil, nil, r.Broken
	}
	for i, f := range r.held {
		if f.Open() && scope.Holds(f) && !slices.ContainsFunc(seen, func(s tenants.Finding) bool { return same(s, f) }) {
			r.held[i].Ended = &at
			ended = append(ended, r.held[i])
		}
	}
	for _, f := range seen {
		f.Since, f.Seen, f.Ended = at, at, nil
		i := slices.IndexFunc(r.held, func(h tenants.Finding) bool { return same(h, f) })
		switch {
		case i < 0:
			r.held = append(r.held, f)
			opened = append(opened, f)
		case !r.held[i].Open():
			r.held[i] = f
			opened = append(opened, f)
		default:
			f.Since = r.held[i].Since
			r.held[i] = f
		}
	}
	return opened, ended, nil
}

// DeleteFindings implements findings.Records.
func (r *Records) DeleteFindings(_ context.Context, before time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = slices.DeleteFunc(r.held, func(f tenants.Finding) bool { return f.Ended != nil && f.Ended.Before(before) })
	return r.Broken
}

// Findings lists what passes the filter, open ones first, the newest first.
func (r *Records) Findings(_ context.Context, filter tenants.FindingFilter) ([]tenants.Finding, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Broken != nil {
		return nil, r.Broken
	}
	var out []tenants.Finding
	for _, f := range r.held {
		if (filter.Area == "" || f.Area == filter.Area) && (filter.Subject == "" || f.Subject == filter.Subject) &&
			(f.Open() || (!filter.EndedAfter.IsZero() && f.Ended.After(filter.EndedAfter))) {
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b tenants.Finding) int {
		if a.Open() != b.Open() {
			return map[bool]int{true: -1, false: 1}[a.Open()]
		}
		return cmp.Or(b.Since.Compare(a.Since), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Code, b.Code))
	})
	return out, nil
}
