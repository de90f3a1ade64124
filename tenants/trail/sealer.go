package trail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"chatiere/tenants"
)

// Records is the trail and its seals in the database.
type Records interface {
	// LastSeal returns the zero Seal when nothing is sealed; behind an anchor, the anchor.
	LastSeal(ctx context.Context) (Seal, error)
	// SealAt answers tenants.ErrNotFound for a number that is not there; an anchor's counts as there.
	SealAt(ctx context.Context, seq int64) (Seal, error)
	// LastSealBefore returns the last seal in the chain made before an instant; the zero Seal when there is none.
	LastSealBefore(ctx context.Context, at time.Time) (Seal, error)
	// HighestSealed is the highest id of a row with a seal.
	HighestSealed(ctx context.Context) (int64, error)
	// Unsealed returns rows above an id that have no seal, by id.
	Unsealed(ctx context.Context, above int64, limit int) ([]tenants.AuditEntry, error)
	// AddSeals writes all or none; two who write the same number get tenants.ErrConflict.
	AddSeals(ctx context.Context, seals []Seal) error
}

// Sealer gives rows their seals. One at a time: it belongs to the worker that holds the data root.
type Sealer struct {
	Records Records
	Heads   Heads
	Now     func() time.Time
	Log     *slog.Logger

	mu      sync.Mutex
	marks   []mark // how far the trail had been looked through, and when
	told    bool
	trouble error
	highest int64     // row with a seal
	whole   time.Time // when Seal came to its end
}

type mark struct {
	at time.Time
	id int64
}

const (
	batch = 500
	// settled is how long a transaction that inserts a row may take: rows get their ids before they can be seen, so one
	// with a lower id may appear after its neighbours have been sealed.
	settled = 10 * time.Minute
	// thorough is how often rows below the highest sealed one are looked for.
	thorough = time.Minute
)

// SealNew seals what was added since it last looked. With nothing new it asks one question; once a minute it does all that
// Seal does.
func (s *Sealer) SealNew(ctx context.Context) error {
	s.mu.Lock()
	seen, quick := s.highest, s.Now().Sub(s.whole).Abs() < thorough
	s.mu.Unlock()
	if quick {
		rows, err := s.Records.Unsealed(ctx, seen, 1)
		if err != nil {
			return fmt.Errorf("looking for rows without a seal: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
	}
	return s.Seal(ctx)
}

// Seal seals what has no seal yet and writes the heads. It answers ErrRewritten, having sealed all the same, when the
// chain it found is not the one whose head was written down: then the heads are left as they are, being evidence.
func (s *Sealer) Seal(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, err := s.Records.LastSeal(ctx)
	if err != nil {
		return fmt.Errorf("reading the last seal: %w", err)
	}
	trouble, err := s.compare(ctx)
	if err != nil {
		return err
	}
	highest, err := s.Records.HighestSealed(ctx)
	if err != nil {
		return fmt.Errorf("reading the highest sealed row: %w", err)
	}
	if last, err = s.sealAll(ctx, last, s.from(highest)); err != nil {
		return err
	}
	s.remember(max(highest, last.AuditID))
	s.highest, s.whole = max(highest, last.AuditID), s.Now()
	s.note(ctx, trouble)
	if trouble != nil {
		return nil // told once, and by whoever asks Trouble
	}
	return s.writeHeads(ctx, last)
}

// Trouble is what the last Seal found: ErrRewritten or nil.
func (s *Sealer) Trouble() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble
}

func (s *Sealer) note(ctx context.Context, trouble error) {
	s.trouble = trouble
	if trouble != nil && !s.told {
		s.Log.ErrorContext(ctx, "the audit trail was changed; see chatiere audit verify", "error", trouble)
	}
	s.told = trouble != nil
}

// compare looks whether the database still has the head that was written down.
func (s *Sealer) compare(ctx context.Context) (trouble, err error) {
	head, ok, err := s.Heads.Newest()
	if err != nil || !ok {
		return nil, err
	}
	found, err := s.Records.SealAt(ctx, head.Seq)
	switch {
	case errors.Is(err, tenants.ErrNotFound):
		return fmt.Errorf("%w: seal %d of row %d is not there", ErrRewritten, head.Seq, head.AuditID), nil
	case err != nil:
		return nil, fmt.Errorf("reading the seal of the newest head: %w", err)
	case found.Hash != head.Hash:
		return fmt.Errorf("%w: seal %d differs", ErrRewritten, head.Seq), nil
	}
	return nil, nil
}

func (s *Sealer) sealAll(ctx context.Context, last Seal, above int64) (Seal, error) {
	for {
		rows, err := s.Records.Unsealed(ctx, above, batch)
		if err != nil {
			return last, fmt.Errorf("reading rows without a seal: %w", err)
		}
		if len(rows) == 0 {
			return last, nil
		}
		seals := make([]Seal, 0, len(rows))
		for _, e := range rows {
			last = Next(last, e, s.Now())
			seals = append(seals, last)
		}
		if err := s.Records.AddSeals(ctx, seals); err != nil {
			return last, fmt.Errorf("writing seals: %w", err)
		}
		if above = rows[len(rows)-1].ID; len(rows) < batch {
			return last, nil
		}
	}
}

// from is the id above which rows may lack a seal. Every round looks above the highest sealed row; once a minute the
// stretch is gone through in which late rows can still appear, and at the worker's start everything is.
func (s *Sealer) from(highest int64) int64 {
	now := s.Now()
	n := len(s.marks)
	switch {
	case n == 0:
		return 0
	case now.Sub(s.marks[n-1].at).Abs() < thorough:
		return highest
	case now.Sub(s.marks[0].at) >= settled:
		return s.marks[0].id
	}
	return max(0, s.marks[0].id-recent)
}

// remember notes how far the trail is sealed, once a minute, and forgets what a later settled mark says better.
func (s *Sealer) remember(highest int64) {
	now := s.Now()
	if n := len(s.marks); n > 0 && now.Sub(s.marks[n-1].at).Abs() < thorough {
		return
	}
	s.marks = append(s.marks, mark{now, highest})
	for len(s.marks) > 1 && now.Sub(s.marks[1].at) >= settled {
		s.marks = s.marks[1:]
	}
}

// recent is how many rows back a late one can be while the sealer has not run for long enough to know.
const recent = 10_000

// Day is the form of a day in the file of heads; days are those of UTC.
const Day = "2006-01-02"

// writeHeads closes the days that are over and writes the newest head.
func (s *Sealer) writeHeads(ctx context.Context, last Seal) error {
	if last.Seq == 0 {
		return nil
	}
	if err := s.closeDays(ctx); err != nil {
		return err
	}
	newest, ok, err := s.Heads.Newest()
	if err != nil || (ok && newest.Hash == last.Hash) {
		return err
	}
	return s.Heads.advance(last, s.Now())
}

func (s *Sealer) closeDays(ctx context.Context) error {
	today := s.Now().UTC().Truncate(24 * time.Hour)
	yesterday := today.AddDate(0, 0, -1).Format(Day)
	days, err := s.Heads.Days()
	if err != nil || (len(days) > 0 && days[len(days)-1].When >= yesterday) {
		return err
	}
	seal, err := s.Records.LastSealBefore(ctx, today)
	if err != nil {
		return fmt.Errorf("reading yesterday's last seal: %w", err)
	}
	if seal.Seq == 0 {
		return nil
	}
	return s.Heads.closeDay(headOf(seal, yesterday))
}
