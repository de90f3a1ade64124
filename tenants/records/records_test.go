package records_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/records"
)

var monday = time.Date(2026, 11, 16, 8, 0, 0, 0, time.UTC)

// database keeps a mark as a dump would carry it away and bring it back.
type database struct {
	mark     tenants.Mark
	told     []tenants.AuditEntry
	deaf     bool // an advance happens, but its answer is lost
	down     error
	advances int
}

func (d *database) Mark(context.Context) (tenants.Mark, error) { return d.mark, d.down }

func (d *database) AdvanceMark(_ context.Context, installation, host string) (tenants.Mark, error) {
	if d.down != nil {
		return tenants.Mark{}, d.down
	}
	if d.mark.Installation != installation {
		return tenants.Mark{}, tenants.ErrConflict
	}
	d.advances++
	d.mark.Count++
	d.mark.Host, d.mark.At = host, monday.Add(time.Duration(d.mark.Count)*time.Hour)
	if d.deaf {
		return tenants.Mark{}, tenants.ErrUnavailable
	}
	return d.mark, nil
}

func (d *database) SetMark(_ context.Context, m tenants.Mark, told *tenants.AuditEntry) error {
	d.mark = m
	if told != nil {
		d.told = append(d.told, *told)
	}
	return d.down
}

// machine is a data root.
type machine struct {
	*testing.T
	file    records.File
	consent records.Consent
}

func newMachine(t *testing.T) machine {
	dir := t.TempDir()
	return machine{t, records.File{Path: filepath.Join(dir, "records.json")}, records.Consent{Path: filepath.Join(dir, "records.accept")}}
}

// worker is a process that has just started there.
func (m machine) worker(d *database) *records.Guard {
	return &records.Guard{Database: d, File: m.file, Host: "lilas", Now: func() time.Time { return monday }}
}

// begun is a worker at work.
func (m machine) begun(d *database) *records.Guard {
	m.Helper()
	g := m.worker(d)
	if err := g.Begin(m.Context()); err != nil {
		m.Fatal(err)
	}
	return g
}

func (m machine) advance(g *records.Guard, n int) {
	m.Helper()
	for range n {
		if err := g.Advance(m.Context()); err != nil {
			m.Fatal(err)
		}
	}
}

func (m machine) count() int64 {
	m.Helper()
	mark, err := m.file.Read()
	if err != nil {
		m.Fatal(err)
	}
	return mark.Count
}

func TestRecordsAndDataRootGrowTogetherAcrossRestarts(t *testing.T) {
	m, d := newMachine(t), &database{}
	m.advance(m.begun(d), 3)
	m.advance(m.begun(d), 2)
	if m.count() != 5 || d.mark.Count != 5 {
		t.Errorf("after five pieces of work the data root says %d, the records %d", m.count(), d.mark.Count)
	}
}

func TestAnOlderDumpIsRefusedAndTheNewerOneTakenUpAgain(t *testing.T) {
	m, d := newMachine(t), &database{}
	g := m.begun(d)
	m.advance(g, 1)
	dump := d.mark
	m.advance(g, 1)
	now := d.mark
	d.mark = dump
	err := m.worker(d).Begin(t.Context())
	if !errors.Is(err, records.ErrOlder) {
		t.Fatalf("got %v", err)
	}
	for _, date := range []string{"2026-11-16 09:00:00", "2026-11-16 10:00:00"} {
		if !strings.Contains(err.Error(), date) {
			t.Errorf("%q does not tell the date %s", err, date)
		}
	}
	if d.mark = now; m.worker(d).Begin(t.Context()) != nil {
		t.Error("the newest records are refused")
	}
}

func TestADumpTakenSinceTheLastWorkIsNotOlder(t *testing.T) {
	m, d := newMachine(t), &database{}
	m.advance(m.begun(d), 4)
	if err := m.worker(&database{mark: d.mark}).Begin(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAnEmptyDatabaseBesideALivingDataRootIsRefused(t *testing.T) {
	m, d := newMachine(t), &database{}
	m.advance(m.begun(d), 1)
	if err := m.worker(&database{}).Begin(t.Context()); !errors.Is(err, records.ErrOlder) {
		t.Errorf("got %v", err)
	}
}

func TestAKillBetweenTheTwoWritesIsNoReasonToDoubt(t *testing.T) {
	m, d := newMachine(t), &database{}
	m.advance(m.begun(d), 2)
	d.mark.Count++ // the predecessor died before it wrote the data root's
	m.advance(m.begun(d), 1)
	if m.count() != 4 || d.mark.Count != 4 {
		t.Errorf("the data root says %d, the records %d", m.count(), d.mark.Count)
	}
}

func TestAKillAtTheFirstStartIsBegunAgain(t *testing.T) {
	m, d := newMachine(t), &database{}
	m.begun(d)
	d.mark = tenants.Mark{} // the predecessor died before it wrote the records'
	m.advance(m.begun(d), 1)
	if m.count() != 1 || d.mark.Count != 1 {
		t.Errorf("the data root says %d, the records %d", m.count(), d.mark.Count)
	}
}

func TestRecordsOfAnotherDataRootAreRefused(t *testing.T) {
	d := &database{}
	newMachine(t).begun(d)
	for name, other := range map[string]machine{"an empty data root": newMachine(t), "another's": newMachine(t)} {
		if name == "another's" {
			other.advance(other.begun(&database{}), 2)
		}
		before := d.mark
		if err := other.worker(d).Begin(t.Context()); !errors.Is(err, records.ErrForeign) || !strings.Contains(err.Error(), "lilas") {
			t.Errorf("%s: got %v", name, err)
		}
		if d.mark != before {
			t.Errorf("%s: the living worker's mark was touched", name)
		}
	}
}

func TestACopyOfTheDataRootIsRefusedWhileTheOriginalIsWorkedOn(t *testing.T) {
	m, d := newMachine(t), &database{}
	g := m.begun(d)
	data, err := os.ReadFile(m.file.Path)
	if err != nil {
		t.Fatal(err)
	}
	copied := newMachine(t)
	if err := os.WriteFile(copied.file.Path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	m.advance(g, 2)
	if err := copied.worker(d).Begin(t.Context()); !errors.Is(err, records.ErrNewer) {
		t.Errorf("got %v", err)
	}
}

func TestRecordsExchangedUnderALivingWorkerStopIt(t *testing.T) {
	for name, c := range map[string]struct {
		exchange func(d *database, dump tenants.Mark)
		want     error
	}{
		"an older dump":      {func(d *database, dump tenants.Mark) { d.mark = dump }, records.ErrOlder},
		"no mark":            {func(d *database, _ tenants.Mark) { d.mark = tenants.Mark{} }, records.ErrOlder},
		"another data root":  {func(d *database, _ tenants.Mark) { d.mark.Installation = "other" }, records.ErrForeign},
		"a second worker":    {func(d *database, _ tenants.Mark) { d.mark.Count++ }, records.ErrNewer},
		"a busy second work": {func(d *database, _ tenants.Mark) { d.mark.Count += 7 }, records.ErrNewer},
	} {
		m, d := newMachine(t), &database{}
		g := m.begun(d)
		m.advance(g, 1)
		dump := d.mark
		m.advance(g, 1)
		c.exchange(d, dump)
		before := d.advances
		if err := g.Check(t.Context()); !errors.Is(err, c.want) {
			t.Errorf("%s: looking says %v", name, err)
		}
		if err := g.Advance(t.Context()); !errors.Is(err, c.want) || d.advances != before {
			t.Errorf("%s: work is taken up: %v", name, err)
		}
	}
}

func TestAnAdvanceWhoseAnswerWasLostIsCompleted(t *testing.T) {
	m, d := newMachine(t), &database{}
	g := m.begun(d)
	m.advance(g, 1)
	d.deaf = true
	if err := g.Advance(t.Context()); !errors.Is(err, tenants.ErrUnavailable) {
		t.Fatal(err)
	}
	d.deaf = false
	m.advance(g, 1)
	if m.count() != 3 || d.mark.Count != 3 {
		t.Errorf("the data root says %d, the records %d", m.count(), d.mark.Count)
	}
}

func TestADatabaseThatIsAwayIsNoReasonToDoubt(t *testing.T) {
	m, d := newMachine(t), &database{}
	g := m.begun(d)
	d.down = tenants.ErrUnavailable
	if err := g.Advance(t.Context()); !errors.Is(err, tenants.ErrUnavailable) || errors.Is(err, records.ErrOlder) {
		t.Errorf("got %v", err)
	}
	d.down = nil
	m.advance(g, 1)
}

func TestAcceptedRecordsAreThisDataRootsFromThenOn(t *testing.T) {
	m, d := newMachine(t), &database{}
	g := m.begun(d)
	dump := d.mark
	m.advance(g, 5)
	d.mark = dump
	g = m.worker(d)
	if ok, err := g.Accept(t.Context(), m.consent); ok || err != nil {
		t.Fatalf("accepted without consent: %v, %v", ok, err)
	}
	if err := m.consent.Give(m.file, "camille", monday); err != nil {
		t.Fatal(err)
	}
	if ok, err := g.Accept(t.Context(), m.consent); !ok || err != nil {
		t.Fatalf("got %v, %v", ok, err)
	}
	if len(d.told) != 1 || d.told[0].ActorName != "camille" || d.told[0].Action != "records.accept" {
		t.Errorf("the audit trail says %+v", d.told)
	}
	if m.consent.Given() {
		t.Error("consent is still there, for the next older dump")
	}
	m.advance(m.begun(d), 1)
	if d.mark = dump; m.worker(d).Begin(t.Context()) == nil {
		t.Error("the older dump is accepted a second time without consent")
	}
}

func TestConsentForAnotherStateIsNotAccepted(t *testing.T) {
	m, d := newMachine(t), &database{}
	g := m.begun(d)
	dump := d.mark
	m.advance(g, 1)
	if err := m.consent.Give(m.file, "camille", monday); err != nil {
		t.Fatal(err)
	}
	m.advance(g, 1)
	d.mark = dump
	if ok, err := m.worker(d).Accept(t.Context(), m.consent); ok || err != nil || m.consent.Given() {
		t.Errorf("got %v, %v; consent is there: %v", ok, err, m.consent.Given())
	}
}

func TestAKillWhileAcceptingIsAcceptedAtTheNextStart(t *testing.T) {
	m, d := newMachine(t), &database{mark: tenants.Mark{Installation: "other", Count: 9}}
	if err := m.consent.Give(m.file, "camille", monday); err != nil {
		t.Fatal(err)
	}
	d.mark.Installation, d.mark.Count = "half-accepted", 10 // in the records already, not yet on the data root
	if ok, err := m.worker(d).Accept(t.Context(), m.consent); !ok || err != nil {
		t.Fatalf("got %v, %v", ok, err)
	}
	m.begun(d)
}

func TestAHalfWrittenLineLeavesTheOneBefore(t *testing.T) {
	m, d := newMachine(t), &database{}
	m.advance(m.begun(d), 6)
	data, err := os.ReadFile(m.file.Path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range 400 {
		torn := append([]byte(nil), data...)
		copy(torn[:cut], strings.Repeat("x", cut)) // line 0 is of the even counts, the last one written
		if err := os.WriteFile(m.file.Path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := m.count(); got < 5 || cut == 0 && got != 6 {
			t.Fatalf("with %d bytes lost the mark is %d", cut, got)
		}
	}
}

func TestAFileWithoutAWholeLineIsAnErrorAndNoFreshStart(t *testing.T) {
	m := newMachine(t)
	if err := os.WriteFile(m.file.Path, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &database{}
	if err := m.worker(d).Begin(t.Context()); err == nil || d.mark.Installation != "" {
		t.Errorf("got %v, and the records bear %+v", err, d.mark)
	}
}

func TestMarksAreWrittenInPlace(t *testing.T) {
	m, d := newMachine(t), &database{}
	g := m.begun(d)
	before, err := os.Stat(m.file.Path)
	if err != nil {
		t.Fatal(err)
	}
	m.advance(g, 7)
	after, err := os.Stat(m.file.Path)
	if err != nil || !os.SameFile(before, after) || before.Size() != after.Size() {
		t.Errorf("the file was made anew or grew (%v): a full disk would not take it", err)
	}
}
