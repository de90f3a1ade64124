// Package audittest holds an audit trail in memory, for tests. It is never imported by the program.
package audittest

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/audit"
)

// Records is a trail in memory. Its fields may be tampered with between calls.
type Records struct {
	mu      sync.Mutex
	Rows    map[int64]tenants.AuditEntry
	Seals   []audit.ChainEntry
	Anchors []audit.ChainEntry
	next    int64
	Read    int // rows looked at in search of unsealed ones
}

var (
	_ audit.Records  = (*Records)(nil)
	_ audit.Prunable = (*Records)(nil)
)

// New returns an empty one.
func New() *Records { return &Records{Rows: map[int64]tenants.AuditEntry{}} }

// Reserve gives out an id without its row, as a transaction does that has not ended yet.
func (r *Records) Reserve() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	return r.next
}

// Put writes a row under a given id.
func (r *Records) Put(e tenants.AuditEntry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Rows[e.ID] = e
}

// Audit implements audit.Prunable.
func (r *Records) Audit(_ context.Context, e tenants.AuditEntry) error {
	e.ID = r.Reserve()
	r.Put(e)
	return nil
}

// Anchor implements audit.Source.
func (r *Records) Anchor(context.Context) (audit.ChainEntry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return last(r.Anchors), nil
}

func last(seals []audit.ChainEntry) audit.ChainEntry {
	if len(seals) == 0 {
		return audit.ChainEntry{}
	}
	return seals[len(seals)-1]
}

// LastEntry implements audit.Records.
func (r *Records) LastEntry(context.Context) (audit.ChainEntry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.Seals) == 0 {
		return last(r.Anchors), nil
	}
	return last(r.Seals), nil
}

// EntryAt implements audit.Records.
func (r *Records) EntryAt(_ context.Context, seq int64) (audit.ChainEntry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range append(slices.Clone(r.Anchors), r.Seals...) {
		if s.Seq == seq {
			return s, nil
		}
	}
	return audit.ChainEntry{}, tenants.ErrNotFound
}

// LastEntryBefore implements audit.Records.
func (r *Records) LastEntryBefore(_ context.Context, at time.Time) (audit.ChainEntry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range slices.Backward(r.Seals) {
		if s.At.Before(at) {
			return s, nil
		}
	}
	return audit.ChainEntry{}, nil
}

// HighestChained implements audit.Records.
func (r *Records) HighestChained(context.Context) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	highest := int64(0)
	for _, s := range r.Seals {
		highest = max(highest, s.AuditID)
	}
	return highest, nil
}

// Unchained implements audit.Records.
func (r *Records) Unchained(_ context.Context, above int64, limit int) ([]tenants.AuditEntry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sealed := map[int64]bool{}
	for _, s := range r.Seals {
		sealed[s.AuditID] = true
	}
	var out []tenants.AuditEntry
	for id, e := range r.Rows {
		if id > above {
			r.Read++
			if !sealed[id] {
				out = append(out, e)
			}
		}
	}
	slices.SortFunc(out, func(a, b tenants.AuditEntry) int { return cmp.Compare(a.ID, b.ID) })
	return out[:min(limit, len(out))], nil
}

// AddEntries implements audit.Records.
func (r *Records) AddEntries(_ context.Context, seals []audit.ChainEntry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if seals[0].Seq <= last(r.Seals).Seq {
		return tenants.ErrConflict
	}
	r.Seals = append(r.Seals, seals...)
	return nil
}

// Links implements audit.Source.
func (r *Records) Links(_ context.Context, behind int64, limit int) ([]audit.Link, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []audit.Link
	for _, s := range r.Seals {
		if s.Seq <= behind || len(out) == limit {
			continue
		}
		l := audit.Link{Chain: s}
		if e, ok := r.Rows[s.AuditID]; ok {
			l.Row = &e
		}
		out = append(out, l)
	}
	return out, nil
}

// Prune implements audit.Prunable.
func (r *Records) Prune(_ context.Context, upto audit.ChainEntry) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Anchors = append(r.Anchors, upto)
	n := int64(0)
	r.Seals = slices.DeleteFunc(r.Seals, func(s audit.ChainEntry) bool {
		if s.Seq > upto.Seq {
			return false
		}
		delete(r.Rows, s.AuditID)
		n++
		return true
	})
	return n, nil
}
