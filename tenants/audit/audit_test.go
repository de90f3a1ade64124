package audit_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/audit"
	"chatiere/tenants/audit/audittest"
)

// hall is a trail with its sealer, at a clock of its own.
type hall struct {
	*testing.T
	records *audittest.Records
	sealer  *audit.ChainWriter
	heads   audit.Checkpoints
	now     time.Time
}

func newHall(t *testing.T) *hall {
	t.Helper()
	h := &hall{T: t, records: audittest.New(), heads: audit.Checkpoints{Dir: filepath.Join(t.TempDir(), "audit")}, now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	h.restart()
	return h
}

func (h *hall) restart() {
	h.sealer = &audit.ChainWriter{Records: h.records, Checkpoints: h.heads, Now: func() time.Time { return h.now }, Log: slog.New(slog.DiscardHandler)}
}

func (h *hall) write(n int) {
	h.Helper()
	for range n {
		h.now = h.now.Add(time.Second)
		_ = h.records.Audit(h.Context(), tenants.AuditEntry{At: h.now, ActorKind: tenants.KindPerson, ActorID: "lea", ActorName: "Léa", Action: "site.create"})
	}
}

func (h *hall) seal() {
	h.Helper()
	if err := h.sealer.Append(h.Context()); err != nil {
		h.Fatal(err)
	}
}

func (h *hall) verify(others ...audit.Checkpoint) audit.Report {
	h.Helper()
	r, err := audit.Verify(h.Context(), h.records, h.heads, others, h.now)
	if err != nil {
		h.Fatal(err)
	}
	return r
}

// first wants the first fault to be this one.
func (h *hall) first(r audit.Report, kind audit.Kind, id int64) {
	h.Helper()
	if r.Intact() || r.Faults[0].Kind != kind || r.Faults[0].ID != id {
		h.Errorf("faults %+v, want first %s of row %d", r.Faults, kind, id)
	}
}

// tamper changes a row behind the seals.
func (h *hall) tamper(id int64) {
	e := h.records.Rows[id]
	e.Detail = "nothing happened"
	h.records.Rows[id] = e
}

// recompute makes a chain that holds together again from what is there now.
func (h *hall) recompute() {
	last := audit.ChainEntry{}
	var fresh []audit.ChainEntry
	for _, s := range h.records.Seals {
		last = audit.NextEntry(last, h.records.Rows[s.AuditID], s.At)
		fresh = append(fresh, last)
	}
	h.records.Seals = fresh
}

func TestAnUntouchedTrailIsWhole(t *testing.T) {
	h := newHall(t)
	h.write(1234)
	h.seal()
	h.write(3)
	r := h.verify()
	if !r.Intact() || r.Rows != 1234 || r.Waiting != 3 || r.Heads != 1 || r.Last == nil || r.Last.Seq != 1234 {
		t.Errorf("%+v", r)
	}
}

func TestChangedAndRemovedRowsAreNamedTheFirstOneFirst(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(h *hall)
		kind audit.Kind
		id   int64
	}{
		"a row changed":             {func(h *hall) { h.tamper(7); h.tamper(12) }, audit.Changed, 7},
		"a row removed":             {func(h *hall) { delete(h.records.Rows, 5) }, audit.Removed, 5},
		"a row and its seal":        {func(h *hall) { delete(h.records.Rows, 5); h.records.Seals = slices.Delete(h.records.Seals, 4, 5) }, audit.Removed, 5},
		"the first row":             {func(h *hall) { delete(h.records.Rows, 1); h.records.Seals = h.records.Seals[1:] }, audit.Removed, 1},
		"two rows swapped":          {func(h *hall) { h.records.Rows[3], h.records.Rows[4] = h.records.Rows[4], h.records.Rows[3] }, audit.Changed, 3},
		"a seal forged":             {func(h *hall) { h.records.Seals[8].Hash[0]++ }, audit.Changed, 9},
		"a seal moved in time":      {func(h *hall) { h.records.Seals[8].At = h.now.Add(time.Hour) }, audit.Changed, 9},
		"the last rows cut off":     {func(h *hall) { delete(h.records.Rows, 20); h.records.Seals = h.records.Seals[:19] }, audit.Cut, 19},
		"everything gone":           {func(h *hall) { clear(h.records.Rows); h.records.Seals = nil }, audit.Cut, 0},
		"the whole chain made anew": {func(h *hall) { h.tamper(7); h.recompute() }, audit.Rewritten, 1},
		"an anchor nobody of us left": {func(h *hall) {
			h.records.Anchors = append(h.records.Anchors, h.records.Seals[9])
			h.records.Seals = h.records.Seals[10:]
		}, audit.Beginning, 10},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHall(t)
			h.write(20)
			h.seal()
			c.harm(h)
			h.first(h.verify(), c.kind, c.id)
		})
	}
}

// With a head for each day, a chain that was computed anew is pinned down to the day.
func TestAChainMadeAnewIsFoundByTheDaysHeads(t *testing.T) {
	h := newHall(t)
	for range 5 {
		h.write(10)
		h.seal()
		h.now = h.now.Add(24 * time.Hour)
	}
	h.write(10)
	h.seal()
	days, err := h.heads.Days()
	if err != nil || len(days) != 5 || days[0].When != "2026-11-22" || days[0].Seq != 10 || days[4].Seq != 50 {
		t.Fatalf("days %v, %v", days, err)
	}
	h.tamper(37)
	h.recompute()
	r := h.verify()
	h.first(r, audit.Rewritten, 31)
	if len(r.Faults) != 1 || !strings.HasPrefix(r.Faults[0].Upto, "2026-11-25 40 40 ") {
		t.Errorf("%+v", r.Faults)
	}
	if err := os.RemoveAll(h.heads.Dir); err != nil {
		t.Fatal(err)
	}
	if r := h.verify(); !r.Intact() {
		t.Errorf("without any head the new chain should pass, or the test proves nothing: %+v", r.Faults)
	}
	h.first(h.verify(days[3]), audit.Rewritten, 1) // one head kept outside is enough
}

func TestTheSealerLeavesHeadsThatDisagreeAndGoesOnSealing(t *testing.T) {
	h := newHall(t)
	h.write(10)
	h.seal()
	h.tamper(3)
	h.recompute()
	h.write(5)
	h.seal()
	if h.sealer.Tampering() == nil {
		t.Error("nothing was noticed")
	}
	if newest, _, _ := h.heads.Newest(); newest.Seq != 10 {
		t.Errorf("the head went on to %d", newest.Seq)
	}
	r := h.verify()
	h.first(r, audit.Rewritten, 1)
	if r.Rows != 15 {
		t.Errorf("%d rows are sealed", r.Rows)
	}
}

func TestRowsThatAppearLateAreSealedAndForgedOnesAreNot(t *testing.T) {
	h := newHall(t)
	h.write(3)
	late, forged := h.records.Reserve(), h.records.Reserve()
	h.write(3)
	h.seal()
	h.now = h.now.Add(3 * time.Minute)
	h.records.Put(tenants.AuditEntry{ID: late, At: h.now, Action: "site.create"})
	h.seal()
	if r := h.verify(); !r.Intact() || r.Rows != 7 {
		t.Errorf("%+v", r)
	}
	for range 30 {
		h.now = h.now.Add(time.Minute)
		h.write(1)
		h.seal()
	}
	h.records.Put(tenants.AuditEntry{ID: forged, At: h.now.Add(-time.Hour), Action: "site.create"})
	h.now = h.now.Add(2 * time.Minute)
	h.seal()
	h.first(h.verify(), audit.Inserted, forged)
}

func TestAQuietRoundReadsOnlyWhatIsNew(t *testing.T) {
	h := newHall(t)
	h.write(5000)
	h.seal()
	h.write(2)
	h.records.Read = 0
	h.seal()
	if h.records.Read > 2 {
		t.Errorf("%d rows were looked at for two new ones", h.records.Read)
	}
}

func TestOldRowsGoAndTheChainStillHolds(t *testing.T) {
	h := newHall(t)
	h.write(2500)
	h.seal()
	h.now = h.now.AddDate(1, 0, 2)
	h.write(10)
	h.seal()
	p := audit.Pruner{Records: h.records, Checkpoints: h.heads, Keep: 366 * 24 * time.Hour, Now: func() time.Time { return h.now }}
	n, err := p.Prune(h.Context())
	if err != nil || n != 2500 {
		t.Fatalf("%d rows pruned, %v", n, err)
	}
	h.seal()
	r := h.verify()
	if !r.Intact() || r.Rows != 11 || r.Pruned == nil || r.Pruned.Seq != 2500 {
		t.Errorf("%+v", r)
	}
	if n, err := p.Prune(h.Context()); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
	h.restart()
	h.write(1)
	h.seal()
	h.tamper(2505)
	h.first(h.verify(), audit.Changed, 2505)
}

func TestWhatWasTamperedWithIsNotPruned(t *testing.T) {
	h := newHall(t)
	h.write(10)
	h.seal()
	h.tamper(4)
	h.now = h.now.AddDate(2, 0, 0)
	p := audit.Pruner{Records: h.records, Checkpoints: h.heads, Keep: 366 * 24 * time.Hour, Now: func() time.Time { return h.now }}
	if n, err := p.Prune(h.Context()); err != nil || n != 3 {
		t.Errorf("%d rows pruned, %v; want the three before it", n, err)
	}
	h.first(h.verify(), audit.Changed, 4)
}

func TestTwoSealersDoNotMakeTwoChains(t *testing.T) {
	h := newHall(t)
	h.write(5)
	h.seal()
	other := &audit.ChainWriter{Records: stale{h.records}, Checkpoints: h.heads, Now: h.sealer.Now, Log: h.sealer.Log}
	h.write(1)
	h.seal()
	h.write(1)
	if err := other.Append(t.Context()); err == nil {
		t.Error("the second sealer, with an old last seal, went through")
	}
	h.seal()
	if r := h.verify(); !r.Intact() || r.Rows != 7 {
		t.Errorf("%+v", r)
	}
}

// stale remembers an older end of the chain.
type stale struct{ *audittest.Records }

func (s stale) LastEntry(context.Context) (audit.ChainEntry, error) { return s.Seals[4], nil }

func TestHalfALineOfHeadsIsWrittenAnew(t *testing.T) {
	h := newHall(t)
	h.write(1)
	h.seal()
	h.now = h.now.Add(24 * time.Hour)
	h.seal()
	path := filepath.Join(h.heads.Dir, "days")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(slices.Clone(whole), "2026-11-23 1 1 9f"...), 0o600); err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(24 * time.Hour)
	h.seal()
	days, err := h.heads.Days()
	if err != nil || len(days) != 2 || days[1].When != "2026-11-23" {
		t.Errorf("%v, %v", days, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestHeadsAreReadAsTheyAreWrittenAndNothingElseIs(t *testing.T) {
	h := newHall(t)
	h.write(3)
	h.seal()
	newest, ok, err := h.heads.Newest()
	if err != nil || !ok {
		t.Fatal(err)
	}
	got, err := audit.ParseCheckpoints([]byte("# kept by Léa\n\n" + newest.String() + "\r\n"))
	if err != nil || len(got) != 1 || got[0] != newest {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"x", "2026-11-22 1 1", "2026-11-22 0 1 " + newest.Hash.String(), "2026-11-22 1 1 zz", "2026-11-22 1 1 " + newest.Hash.String() + "00"} {
		if _, err := audit.ParseCheckpoints([]byte(bad)); err == nil {
			t.Errorf("%q was taken for a head", bad)
		}
	}
}

func TestWhileNothingIsAddedTheSealerAsksOneQuestion(t *testing.T) {
	h := newHall(t)
	h.write(3)
	look := func() {
		t.Helper()
		if err := h.sealer.AppendNew(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	look()
	asked := &questions{Records: h.records}
	h.sealer.Records = asked
	for range 10 {
		h.now = h.now.Add(5 * time.Second)
		look()
	}
	if asked.unsealed != 10 || asked.others != 0 {
		t.Errorf("asked %d times for new rows and %d other questions", asked.unsealed, asked.others)
	}
	h.write(1)
	look()
	if r := h.verify(); !r.Intact() {
		t.Errorf("a new row was not sealed: %+v", r)
	}
	asked.others = 0
	h.now = h.now.Add(2 * time.Minute)
	look()
	if asked.others == 0 {
		t.Error("after some minutes nothing but new rows was looked at")
	}
}

// questions counts what a sealer asks.
type questions struct {
	*audittest.Records
	unsealed, others int
}

func (q *questions) Unchained(ctx context.Context, above int64, limit int) ([]tenants.AuditEntry, error) {
	q.unsealed++
	return q.Records.Unchained(ctx, above, limit)
}

func (q *questions) LastEntry(ctx context.Context) (audit.ChainEntry, error) {
	q.others++
	return q.Records.LastEntry(ctx)
}
