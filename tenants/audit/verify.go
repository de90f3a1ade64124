package audit

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"chatiere/tenants"
)

// Source is the log as Verify reads it.
type Source interface {
	// Anchor returns the newest anchor; the zero value when nothing was ever pruned.
	Anchor(ctx context.Context) (ChainEntry, error)
	// Links returns the entries after a number with their rows, by number.
	Links(ctx context.Context, behind int64, limit int) ([]Link, error)
	HighestChained(ctx context.Context) (int64, error)
	Unchained(ctx context.Context, above int64, limit int) ([]tenants.AuditEntry, error)
}

// Kind is how the log was changed.
type Kind string

// The kinds of faults.
const (
	Changed   Kind = "changed"   // a row or its chain entry was changed
	Removed   Kind = "removed"   // a row or its chain entry is gone
	Cut       Kind = "cut"       // the last rows are gone with their chain entries
	Rewritten Kind = "rewritten" // the chain was recomputed: it is consistent but does not match a checkpoint
	Inserted  Kind = "inserted"  // a row was inserted between older ones
	Beginning Kind = "beginning" // the oldest rows are gone and were not pruned
)

// Fault is one change of the log.
type Fault struct {
	Kind Kind      `json:"kind"`
	Seq  int64     `json:"seq"`
	ID   int64     `json:"id"`                   // the first row concerned; of Cut and Beginning, the last row that is left before
	At   time.Time `json:"at"`                   // the time of that row, or of its chain entry
	Upto string    `json:"up_to_head,omitempty"` // the checkpoint that showed it; the change is between this row and that checkpoint
}

// Report is the result of Verify.
type Report struct {
	Rows    int64       `json:"rows"`              // verified rows
	Oldest  time.Time   `json:"oldest"`            // of them
	Newest  time.Time   `json:"newest"`            // of them
	Last    *Checkpoint `json:"last,omitempty"`    // the last chain entry
	Waiting int64       `json:"waiting"`           // rows without a chain entry yet
	Heads   int         `json:"heads"`             // compared checkpoints
	Pruned  *Checkpoint `json:"pruned,omitempty"`  // where old rows were pruned
	Faults  []Fault     `json:"faults"`            // by number
	Cropped bool        `json:"cropped,omitempty"` // there are more faults than these
}

// Intact reports whether there are no faults.
func (r Report) Intact() bool { return len(r.Faults) == 0 }

// maxFaults is how many faults are reported: the first matters, the rest shows the extent.
const maxFaults = 20

const page = 2000

// Verify walks the whole chain and compares it with the checkpoints in the files and with others that were stored elsewhere.
func Verify(ctx context.Context, src Source, files Checkpoints, others []Checkpoint, now time.Time) (Report, error) {
	w, err := newVerifier(ctx, src, files, others)
	if err != nil {
		return Report{}, err
	}
	for {
		links, err := src.Links(ctx, w.seq, page)
		if err != nil {
			return Report{}, fmt.Errorf("reading the chain: %w", err)
		}
		for _, l := range links {
			w.verifyLink(l)
		}
		if len(links) < page {
			break
		}
	}
	w.finish()
	if err := w.countUnchained(ctx, src, now); err != nil {
		return Report{}, err
	}
	slices.SortStableFunc(w.report.Faults, func(a, b Fault) int { return int(a.Seq - b.Seq) })
	return w.report, nil
}

// verifier is the state of a verification.
type verifier struct {
	report      Report
	checkpoints []Checkpoint // not reached yet, by number
	seq         int64
	prev        Hash
	prevUnknown bool // the previous entry is missing, so that the next hash cannot be checked
	last        position
	first       Fault // the first row after the last checkpoint that agreed
	agreed      int64
}

func newVerifier(ctx context.Context, src Source, files Checkpoints, others []Checkpoint) (*verifier, error) {
	anchor, err := src.Anchor(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the anchor: %w", err)
	}
	w := &verifier{seq: anchor.Seq, prev: anchor.Hash, agreed: anchor.Seq, last: position{anchor.At, anchor.AuditID}}
	w.report.Faults = []Fault{}
	days, err := files.Days()
	if err != nil {
		return nil, err
	}
	newest, ok, err := files.Newest()
	if err != nil {
		return nil, err
	}
	if ok {
		days = append(days, newest)
	}
	w.checkpoints = append(days, others...)
	slices.SortStableFunc(w.checkpoints, func(a, b Checkpoint) int { return int(a.Seq - b.Seq) })
	w.checkpoints = slices.DeleteFunc(w.checkpoints, func(h Checkpoint) bool { return h.Seq < anchor.Seq })
	return w, w.checkAnchor(files, anchor)
}

// checkAnchor checks whether the missing beginning was pruned by us.
func (w *verifier) checkAnchor(files Checkpoints, anchor ChainEntry) error {
	if anchor.Seq == 0 {
		return nil
	}
	known, err := files.Pruned()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(known, func(h Checkpoint) bool { return h.Seq == anchor.Seq && h.Hash == anchor.Hash })
	if i < 0 {
		w.fault(Fault{Kind: Beginning, Seq: anchor.Seq, ID: anchor.AuditID, At: anchor.At})
		return nil
	}
	w.report.Pruned = &known[i]
	return nil
}

func (w *verifier) fault(f Fault) {
	if len(w.report.Faults) == maxFaults {
		w.report.Cropped = true
		return
	}
	w.report.Faults = append(w.report.Faults, f)
}

func (w *verifier) verifyLink(l Link) {
	at := l.Chain.At
	if l.Row != nil {
		at = l.Row.At
	}
	if l.Chain.Seq != w.seq+1 {
		w.fault(Fault{Kind: Removed, Seq: w.seq + 1, ID: w.last.id + 1, At: w.last.at})
		w.prevUnknown = true
	}
	switch {
	case l.Row == nil:
		w.fault(Fault{Kind: Removed, Seq: l.Chain.Seq, ID: l.Chain.AuditID, At: at})
	case !w.prevUnknown && !valid(w.prev, l):
		w.fault(Fault{Kind: Changed, Seq: l.Chain.Seq, ID: l.Chain.AuditID, At: at})
	}
	w.prevUnknown = false
	w.advance(l, at)
	if l.Chain.Seq == w.agreed+1 {
		w.first = Fault{Kind: Rewritten, Seq: l.Chain.Seq, ID: l.Chain.AuditID, At: at}
	}
	w.matchCheckpoints(l.Chain)
}

func (w *verifier) advance(l Link, at time.Time) {
	w.seq, w.prev, w.last = l.Chain.Seq, l.Chain.Hash, position{at, l.Chain.AuditID}
	if w.report.Rows++; w.report.Rows == 1 {
		w.report.Oldest = at
	}
	w.report.Newest = at
	head := checkpointOf(l.Chain, l.Chain.At.UTC().Format(time.RFC3339))
	w.report.Last = &head
}

// matchCheckpoints compares the checkpoints of this entry.
func (w *verifier) matchCheckpoints(s ChainEntry) {
	for len(w.checkpoints) > 0 && w.checkpoints[0].Seq <= s.Seq {
		h := w.checkpoints[0]
		w.checkpoints = w.checkpoints[1:]
		w.report.Heads++
		if h.Seq == s.Seq && h.Hash == s.Hash {
			w.agreed = max(w.agreed, s.Seq)
			continue
		}
		if h.Seq == s.Seq && w.first.Seq > 0 {
			w.first.Upto = h.String()
			w.fault(w.first)
			w.first = Fault{} // everything that follows is another chain: reported once
			w.agreed = math.MaxInt64 - 1
		}
	}
}

// finish handles the checkpoints beyond the chain's end.
func (w *verifier) finish() {
	// A checkpoint at the anchor itself was removed by pruning there.
	w.checkpoints = slices.DeleteFunc(w.checkpoints, func(h Checkpoint) bool { return h.Seq <= w.seq })
	w.report.Heads += len(w.checkpoints)
	if len(w.checkpoints) == 0 {
		return
	}
	w.fault(Fault{Kind: Cut, Seq: w.seq + 1, ID: w.last.id, At: w.last.at, Upto: w.checkpoints[len(w.checkpoints)-1].String()})
}

// countUnchained counts rows that wait for their chain entry, and reports those that were inserted among older rows.
func (w *verifier) countUnchained(ctx context.Context, src Source, now time.Time) error {
	highest, err := src.HighestChained(ctx)
	if err != nil {
		return fmt.Errorf("reading the highest chained row: %w", err)
	}
	for above := int64(0); ; {
		rows, err := src.Unchained(ctx, above, page)
		if err != nil {
			return fmt.Errorf("reading rows without a chain entry: %w", err)
		}
		for _, e := range rows {
			above = e.ID
			if e.ID < highest && now.Sub(e.At) > 2*lateRowWindow {
				w.fault(Fault{Kind: Inserted, Seq: w.seq, ID: e.ID, At: e.At})
				continue
			}
			w.report.Waiting++
		}
		if len(rows) < page {
			return nil
		}
	}
}
