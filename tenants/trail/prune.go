package trail

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"chatiere/tenants"
)

// Prunable is the trail as the Pruner needs it, by a user of the database that may remove rows.
type Prunable interface {
	Source
	// Prune removes the rows sealed up to a seal, with their seals, and leaves the seal as the anchor: all of it or nothing.
	Prune(ctx context.Context, upto Seal) (rows int64, err error)
	Audit(ctx context.Context, e tenants.AuditEntry) error
}

// Pruner removes what is too old to be kept.
type Pruner struct {
	Records Prunable
	Heads   Heads
	Keep    time.Duration
	Now     func() time.Time
}

// ActPrune is the act under which pruning stands in the trail.
const ActPrune = "audit.prune"

// Prune removes every row older than Keep that has no younger one before it, and says so in the trail. It returns how many.
func (p Pruner) Prune(ctx context.Context) (total int64, err error) {
	before := p.Now().UTC().Add(-p.Keep)
	for {
		upto, more, err := p.oldest(ctx, before)
		if err != nil || upto.Seq == 0 {
			return total, err
		}
		if err := p.Heads.NotePruned(upto, p.Now()); err != nil {
			return total, err
		}
		rows, err := p.Records.Prune(ctx, upto)
		if err != nil {
			return total, fmt.Errorf("removing old rows: %w", err)
		}
		total += rows
		if more {
			continue
		}
		return total, p.Records.Audit(ctx, tenants.AuditEntry{
			At: p.Now().UTC(), ActorKind: tenants.KindSystem, ActorName: tenants.System().Name, Action: ActPrune,
			Detail: strconv.FormatInt(total, 10) + " rows before " + before.Format(Day),
		})
	}
}

// oldest returns the last seal of the first page of rows that are old enough; the zero Seal when there is none.
func (p Pruner) oldest(ctx context.Context, before time.Time) (upto Seal, more bool, err error) {
	anchor, err := p.Records.Anchor(ctx)
	if err != nil {
		return upto, false, fmt.Errorf("reading the anchor: %w", err)
	}
	links, err := p.Records.Links(ctx, anchor.Seq, page)
	if err != nil {
		return upto, false, fmt.Errorf("reading the chain: %w", err)
	}
	for _, l := range links {
		// What was tampered with stays: it is evidence.
		if l.Entry == nil || !l.Entry.At.Before(before) || !follows(prevOf(anchor, upto), l) {
			return upto, false, nil
		}
		upto = l.Seal
	}
	return upto, len(links) == page, nil
}

func prevOf(anchor, upto Seal) Hash {
	if upto.Seq > 0 {
		return upto.Hash
	}
	return anchor.Hash
}
