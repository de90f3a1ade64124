package trail

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"chatiere/tenants"
)

// Source is the trail as Verify reads it.
type Source interface {
	// Anchor returns the newest anchor; the zero Seal when nothing was ever pruned.
	Anchor(ctx context.Context) (Seal, error)
	// Links returns seals behind a number with their rows, by number.
	Links(ctx context.Context, behind int64, limit int) ([]Link, error)
	HighestSealed(ctx context.Context) (int64, error)
	Unsealed(ctx context.Context, above int64, limit int) ([]tenants.AuditEntry, error)
}

// Kind is what was done to the trail.
type Kind string

// The kinds of faults.
const (
	Changed   Kind = "changed"   // a row or its seal is not what was sealed
	Removed   Kind = "removed"   // a row, or its seal, is gone
	Cut       Kind = "cut"       // the last rows are gone with their seals
	Rewritten Kind = "rewritten" // the chain was computed anew: it holds together and is another one
	Inserted  Kind = "inserted"  // a row was put between older ones
	Beginning Kind = "beginning" // the oldest rows are gone and nothing of ours pruned them
)

// Fault is one place where the trail is not what it was.
type Fault struct {
	Kind Kind      `json:"kind"`
	Seq  int64     `json:"seq"`
	ID   int64     `json:"id"`                   // the first row concerned; of Cut and Beginning, the last row that is left before
	At   time.Time `json:"at"`                   // when that row says it was written, or its seal was
	Upto string    `json:"up_to_head,omitempty"` // the head that showed it; the change lies between this row and that head
}

// Report is what a look through the trail found.
type Report struct {
	Rows    int64     `json:"rows"`              // sealed rows looked at
	Oldest  time.Time `json:"oldest"`            // of them
	Newest  time.Time `json:"newest"`            // of them
	Last    *Head     `json:"last,omitempty"`    // the last seal
	Waiting int64     `json:"waiting"`           // rows that have no seal yet
	Heads   int       `json:"heads"`             // heads written down elsewhere that were compared
	Pruned  *Head     `json:"pruned,omitempty"`  // where old rows were removed as planned
	Faults  []Fault   `json:"faults"`            // by seal; the first one first
	Cropped bool      `json:"cropped,omitempty"` // there are more faults than these
}

// Whole reports whether nothing was found.
func (r Report) Whole() bool { return len(r.Faults) == 0 }

// maxFaults is how many faults are told: the first counts, and the rest shows its extent.
const maxFaults = 20

const page = 2000

// Verify looks through the whole chain and compares it with the heads in the files and with others that were kept elsewhere.
func Verify(ctx context.Context, src Source, files Heads, others []Head, now time.Time) (Report, error) {
	w, err := newWalk(ctx, src, files, others)
	if err != nil {
		return Report{}, err
	}
	for {
		links, err := src.Links(ctx, w.seq, page)
		if err != nil {
			return Report{}, fmt.Errorf("reading the chain: %w", err)
		}
		for _, l := range links {
			w.step(l)
		}
		if len(links) < page {
			break
		}
	}
	w.finish()
	if err := w.unsealed(ctx, src, now); err != nil {
		return Report{}, err
	}
	slices.SortStableFunc(w.report.Faults, func(a, b Fault) int { return int(a.Seq - b.Seq) })
	return w.report, nil
}

// walk is a look through the chain under way.
type walk struct {
	report Report
	heads  []Head // not met yet, by seal
	seq    int64
	prev   Hash
	lost   bool // the seal before is not known, so that the next one's hash says nothing
	last   mark
	first  Fault // the first row behind the last head that agreed
	agreed int64
}

func newWalk(ctx context.Context, src Source, files Heads, others []Head) (*walk, error) {
	anchor, err := src.Anchor(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the anchor: %w", err)
	}
	w := &walk{seq: anchor.Seq, prev: anchor.Hash, agreed: anchor.Seq, last: mark{anchor.At, anchor.AuditID}}
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
	w.heads = append(days, others...)
	slices.SortStableFunc(w.heads, func(a, b Head) int { return int(a.Seq - b.Seq) })
	w.heads = slices.DeleteFunc(w.heads, func(h Head) bool { return h.Seq < anchor.Seq })
	return w, w.anchored(files, anchor)
}

// anchored looks whether it was us who pruned what is not there any more.
func (w *walk) anchored(files Heads, anchor Seal) error {
	if anchor.Seq == 0 {
		return nil
	}
	known, err := files.Pruned()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(known, func(h Head) bool { return h.Seq == anchor.Seq && h.Hash == anchor.Hash })
	if i < 0 {
		w.fault(Fault{Kind: Beginning, Seq: anchor.Seq, ID: anchor.AuditID, At: anchor.At})
		return nil
	}
	w.report.Pruned = &known[i]
	return nil
}

func (w *walk) fault(f Fault) {
	if len(w.report.Faults) == maxFaults {
		w.report.Cropped = true
		return
	}
	w.report.Faults = append(w.report.Faults, f)
}

func (w *walk) step(l Link) {
	at := l.Seal.At
	if l.Entry != nil {
		at = l.Entry.At
	}
	if l.Seal.Seq != w.seq+1 {
		w.fault(Fault{Kind: Removed, Seq: w.seq + 1, ID: w.last.id + 1, At: w.last.at})
		w.lost = true
	}
	switch {
	case l.Entry == nil:
		w.fault(Fault{Kind: Removed, Seq: l.Seal.Seq, ID: l.Seal.AuditID, At: at})
	case !w.lost && !follows(w.prev, l):
		w.fault(Fault{Kind: Changed, Seq: l.Seal.Seq, ID: l.Seal.AuditID, At: at})
	}
	w.lost = false
	w.count(l, at)
	if l.Seal.Seq == w.agreed+1 {
		w.first = Fault{Kind: Rewritten, Seq: l.Seal.Seq, ID: l.Seal.AuditID, At: at}
	}
	w.compare(l.Seal)
}

func (w *walk) count(l Link, at time.Time) {
	w.seq, w.prev, w.last = l.Seal.Seq, l.Seal.Hash, mark{at, l.Seal.AuditID}
	if w.report.Rows++; w.report.Rows == 1 {
		w.report.Oldest = at
	}
	w.report.Newest = at
	head := headOf(l.Seal, l.Seal.At.UTC().Format(time.RFC3339))
	w.report.Last = &head
}

// compare meets the heads of this seal.
func (w *walk) compare(s Seal) {
	for len(w.heads) > 0 && w.heads[0].Seq <= s.Seq {
		h := w.heads[0]
		w.heads = w.heads[1:]
		w.report.Heads++
		if h.Seq == s.Seq && h.Hash == s.Hash {
			w.agreed = max(w.agreed, s.Seq)
			continue
		}
		if h.Seq == s.Seq && w.first.Seq > 0 {
			w.first.Upto = h.String()
			w.fault(w.first)
			w.first = Fault{} // all that follows is another chain: told once
			w.agreed = math.MaxInt64 - 1
		}
	}
}

// finish meets the heads beyond the chain's end.
func (w *walk) finish() {
	// A head at the anchor itself was met by pruning there.
	w.heads = slices.DeleteFunc(w.heads, func(h Head) bool { return h.Seq <= w.seq })
	w.report.Heads += len(w.heads)
	if len(w.heads) == 0 {
		return
	}
	w.fault(Fault{Kind: Cut, Seq: w.seq + 1, ID: w.last.id, At: w.last.at, Upto: w.heads[len(w.heads)-1].String()})
}

// unsealed tells rows that wait for their seal from those that somebody put where nothing is sealed any more.
func (w *walk) unsealed(ctx context.Context, src Source, now time.Time) error {
	highest, err := src.HighestSealed(ctx)
	if err != nil {
		return fmt.Errorf("reading the highest sealed row: %w", err)
	}
	for above := int64(0); ; {
		rows, err := src.Unsealed(ctx, above, page)
		if err != nil {
			return fmt.Errorf("reading rows without a seal: %w", err)
		}
		for _, e := range rows {
			above = e.ID
			if e.ID < highest && now.Sub(e.At) > 2*settled {
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
