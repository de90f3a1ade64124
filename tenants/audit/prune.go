package audit

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"chatiere/tenants"
)

// Prunable is the log as the Pruner needs it, with a database user that may delete rows.
type Prunable interface {
	Source
	// Prune removes the rows up to a chain entry, with their entries, and keeps that entry as the anchor: all or nothing.
	Prune(ctx context.Context, upto ChainEntry) (rows int64, err error)
	Audit(ctx context.Context, e tenants.AuditEntry) error
}

// Pruner removes old rows.
type Pruner struct {
	Records     Prunable
	Checkpoints Checkpoints
	Keep        time.Duration
	Now         func() time.Time
}

// ActPrune is the action of pruning in the log.
const ActPrune = "audit.prune"

// Prune removes every row older than Keep that has no younger one before it, logs that, and returns how many.
func (p Pruner) Prune(ctx context.Context) (total int64, err error) {
	before := p.Now().UTC().Add(-p.Keep)
	for {
		upto, more, err := p.nextPage(ctx, before)
		if err != nil || upto.Seq == 0 {
			return total, err
		}
		if err := p.Checkpoints.RecordPrune(upto, p.Now()); err != nil {
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

// nextPage returns the last entry of the first page of rows that are old enough; the zero entry when there is none.
func (p Pruner) nextPage(ctx context.Context, before time.Time) (upto ChainEntry, more bool, err error) {
	anchor, err := p.Records.Anchor(ctx)
	if err != nil {
		return upto, false, fmt.Errorf("reading the anchor: %w", err)
	}
	links, err := p.Records.Links(ctx, anchor.Seq, page)
	if err != nil {
		return upto, false, fmt.Errorf("reading the chain: %w", err)
	}
	for _, l := range links {
		// Rows that were tampered with stay as evidence.
		if l.Row == nil || !l.Row.At.Before(before) || !valid(prevHash(anchor, upto), l) {
			return upto, false, nil
		}
		upto = l.Chain
	}
	return upto, len(links) == page, nil
}

func prevHash(anchor, upto ChainEntry) Hash {
	if upto.Seq > 0 {
		return upto.Hash
	}
	return anchor.Hash
}
