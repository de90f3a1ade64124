package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"chatiere/tenants"
)

// Records is the log and its chain in the database.
type Records interface {
	// LastEntry returns the last chain entry, or the anchor if the chain is empty after pruning; the zero value for none.
	LastEntry(ctx context.Context) (ChainEntry, error)
	// EntryAt returns tenants.ErrNotFound for a number that does not exist; an anchor exists.
	EntryAt(ctx context.Context, seq int64) (ChainEntry, error)
	// LastEntryBefore returns the last entry made before an instant; the zero value when there is none.
	LastEntryBefore(ctx context.Context, at time.Time) (ChainEntry, error)
	// HighestChained is the highest id of a row with a chain entry.
	HighestChained(ctx context.Context) (int64, error)
	// Unchained returns rows above an id that have no chain entry, by id.
	Unchained(ctx context.Context, above int64, limit int) ([]tenants.AuditEntry, error)
	// AddEntries writes all or none; tenants.ErrConflict if a number exists already.
	AddEntries(ctx context.Context, seals []ChainEntry) error
}

// ChainWriter appends chain entries for new rows. There is one, in the worker that holds the lock of the data root.
type ChainWriter struct {
	Records     Records
	Checkpoints Checkpoints
	Now         func() time.Time
	Log         *slog.Logger

	mu         sync.Mutex
	positions  []position // how far the log had been scanned, and when
	logged     bool
	tampering  error
	highest    int64     // row with a chain entry
	fullScanAt time.Time // when Append last completed
}

type position struct {
	at time.Time
	id int64
}

const (
	batch = 500
	// lateRowWindow is how long a transaction that inserts a row may take: rows get their ids before they are visible, so a row
	// with a lower id may appear after later ones have entries.
	lateRowWindow = 10 * time.Minute
	// fullScanInterval is how often rows below the highest chained one are scanned.
	fullScanInterval = time.Minute
)

// AppendNew appends entries for rows since the last call. Without new rows it makes one query; once a minute it calls Append.
func (s *ChainWriter) AppendNew(ctx context.Context) error {
	s.mu.Lock()
	seen, quick := s.highest, s.Now().Sub(s.fullScanAt).Abs() < fullScanInterval
	s.mu.Unlock()
	if quick {
		rows, err := s.Records.Unchained(ctx, seen, 1)
		if err != nil {
			return fmt.Errorf("reading rows without a chain entry: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
	}
	return s.Append(ctx)
}

// Append appends entries for all rows without one and writes the checkpoints. If the chain does not contain the newest
// checkpoint, it appends all the same, sets Tampering to ErrRewritten, and leaves the checkpoints unchanged as evidence.
func (s *ChainWriter) Append(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, err := s.Records.LastEntry(ctx)
	if err != nil {
		return fmt.Errorf("reading the last chain entry: %w", err)
	}
	trouble, err := s.checkNewest(ctx)
	if err != nil {
		return err
	}
	highest, err := s.Records.HighestChained(ctx)
	if err != nil {
		return fmt.Errorf("reading the highest chained row: %w", err)
	}
	if last, err = s.appendAll(ctx, last, s.scanFrom(highest)); err != nil {
		return err
	}
	s.recordPosition(max(highest, last.AuditID))
	s.highest, s.fullScanAt = max(highest, last.AuditID), s.Now()
	s.setTampering(ctx, trouble)
	if trouble != nil {
		return nil // logged once, and returned by Tampering
	}
	return s.writeCheckpoints(ctx, last)
}

// Tampering returns the result of the last Append: ErrRewritten or nil.
func (s *ChainWriter) Tampering() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tampering
}

func (s *ChainWriter) setTampering(ctx context.Context, trouble error) {
	s.tampering = trouble
	if trouble != nil && !s.logged {
		s.Log.ErrorContext(ctx, "the audit log was changed; see chatiere audit verify", "error", trouble)
	}
	s.logged = trouble != nil
}

// checkNewest checks whether the chain still contains the newest checkpoint.
func (s *ChainWriter) checkNewest(ctx context.Context) (trouble, err error) {
	head, ok, err := s.Checkpoints.Newest()
	if err != nil || !ok {
		return nil, err
	}
	found, err := s.Records.EntryAt(ctx, head.Seq)
	switch {
	case errors.Is(err, tenants.ErrNotFound):
		return fmt.Errorf("%w: entry %d of row %d does not exist", ErrRewritten, head.Seq, head.AuditID), nil
	case err != nil:
		return nil, fmt.Errorf("reading the chain entry of the newest checkpoint: %w", err)
	case found.Hash != head.Hash:
		return fmt.Errorf("%w: entry %d differs", ErrRewritten, head.Seq), nil
	}
	return nil, nil
}

func (s *ChainWriter) appendAll(ctx context.Context, last ChainEntry, above int64) (ChainEntry, error) {
	for {
		rows, err := s.Records.Unchained(ctx, above, batch)
		if err != nil {
			return last, fmt.Errorf("reading rows without a chain entry: %w", err)
		}
		if len(rows) == 0 {
			return last, nil
		}
		seals := make([]ChainEntry, 0, len(rows))
		for _, e := range rows {
			last = NextEntry(last, e, s.Now())
			seals = append(seals, last)
		}
		if err := s.Records.AddEntries(ctx, seals); err != nil {
			return last, fmt.Errorf("writing chain entries: %w", err)
		}
		if above = rows[len(rows)-1].ID; len(rows) < batch {
			return last, nil
		}
	}
}

// scanFrom returns the id above which rows may lack an entry: usually the highest chained row; once a minute the beginning
// of the range in which late rows can appear; at the worker's start 0.
func (s *ChainWriter) scanFrom(highest int64) int64 {
	now := s.Now()
	n := len(s.positions)
	switch {
	case n == 0:
		return 0
	case now.Sub(s.positions[n-1].at).Abs() < fullScanInterval:
		return highest
	case now.Sub(s.positions[0].at) >= lateRowWindow:
		return s.positions[0].id
	}
	return max(0, s.positions[0].id-lateRows)
}

// recordPosition records how far the log is chained, once a minute, and drops positions that are no longer needed.
func (s *ChainWriter) recordPosition(highest int64) {
	now := s.Now()
	if n := len(s.positions); n > 0 && now.Sub(s.positions[n-1].at).Abs() < fullScanInterval {
		return
	}
	s.positions = append(s.positions, position{now, highest})
	for len(s.positions) > 1 && now.Sub(s.positions[1].at) >= lateRowWindow {
		s.positions = s.positions[1:]
	}
}

// lateRows is how many rows back a late one can be while the writer has not run for long enough to know.
const lateRows = 10_000

// Day is the format of a day in the file of checkpoints, in UTC.
const Day = "2006-01-02"

// writeCheckpoints closes past days and writes the newest checkpoint.
func (s *ChainWriter) writeCheckpoints(ctx context.Context, last ChainEntry) error {
	if last.Seq == 0 {
		return nil
	}
	if err := s.closeDays(ctx); err != nil {
		return err
	}
	newest, ok, err := s.Checkpoints.Newest()
	if err != nil || (ok && newest.Hash == last.Hash) {
		return err
	}
	return s.Checkpoints.replaceNewest(last, s.Now())
}

func (s *ChainWriter) closeDays(ctx context.Context) error {
	today := s.Now().UTC().Truncate(24 * time.Hour)
	yesterday := today.AddDate(0, 0, -1).Format(Day)
	days, err := s.Checkpoints.Days()
	if err != nil || (len(days) > 0 && days[len(days)-1].When >= yesterday) {
		return err
	}
	seal, err := s.Records.LastEntryBefore(ctx, today)
	if err != nil {
		return fmt.Errorf("reading yesterday's last chain entry: %w", err)
	}
	if seal.Seq == 0 {
		return nil
	}
	return s.Checkpoints.closeDay(checkpointOf(seal, yesterday))
}
