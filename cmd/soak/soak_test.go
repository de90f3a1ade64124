package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatiere/cmd/internal/failpoint"
	"chatiere/tenants/operations"
)

func TestARequestIsExcusedByWhatItNeededAndOnlyWhileThatWasAway(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	j := outageLog{outages: []outage{{sitesDatabase, noon, noon.Add(3 * time.Second)}, {fullDisk, noon.Add(time.Minute), time.Time{}}}}
	at := func(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }
	for _, c := range []struct {
		name     string
		from, to float64
		needs    []string
		want     string
	}{
		{"over before", -2, -1, []string{sitesDatabase}, ""},
		{"cut by it", -1, .5, []string{sitesDatabase}, sitesDatabase},
		{"inside", 1, 2, []string{sitesDatabase}, sitesDatabase},
		{"within the margin", 3.9, 5, []string{sitesDatabase}, sitesDatabase},
		{"after the margin", 4.1, 5, []string{sitesDatabase}, ""},
		{"in need of nothing", 1, 2, nil, ""},
		{"in need of something else", 1, 2, []string{fullDisk}, ""},
		{"while it lasts", 600, 601, []string{sitesDatabase, fullDisk}, fullDisk},
	} {
		if got := j.excuses(at(c.from), at(c.to), c.needs); got != c.want {
			t.Errorf("a request that was %s is excused by %q, want %q", c.name, got, c.want)
		}
	}
}

func TestKindsOfRequestsComeInTheirShares(t *testing.T) {
	got := map[string]int{}
	for n := range 1000 {
		got[pick(n).kind]++
	}
	for _, q := range requests {
		if got[q.kind] != 10*q.share {
			t.Errorf("of 1000 requests %d are %s, want %d", got[q.kind], q.kind, 10*q.share)
		}
	}
}

func TestMarksTellThePhaseAndArriveAsTheyAreMade(t *testing.T) {
	dir := t.TempDir()
	tr, err := newTrace(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	heard := make(chan position, 1)
	go func() {
		p, _ := tr.next(10*time.Second, func(p position) bool { return p.phase == committing })
		heard <- p
	}()
	for p := (position{}); p.op == ""; { // until the listener stands ready
		for _, point := range []operations.Point{operations.BeforeDo, operations.BeforeCommit} {
			fresh := filepath.Join(dir, failpoint.Trace, ".01A")
			if err := os.WriteFile(fresh, []byte(failpoint.Name("site.delete", "stop", point)), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(fresh, filepath.Join(dir, failpoint.Trace, "01A")); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case p = <-heard:
			if p != (position{"01A", "site.delete", "stop", committing}) {
				t.Errorf("heard of %+v", p)
			}
		case <-time.After(10 * time.Millisecond):
		}
	}
	if p, ok := tr.of("01A"); !ok || p.phase != committing {
		t.Errorf("it was last at %+v, %v", p, ok)
	}
	if p, ok := tr.of("01B"); ok {
		t.Errorf("an operation nobody saw was last at %+v", p)
	}
}

func TestEveryPointBelongsToAPhase(t *testing.T) {
	for _, p := range operations.Points() {
		if phaseAfter[p] == "" {
			t.Errorf("after %s an operation is in no phase: its kills would not count", p)
		}
	}
}

func TestConvergenceIsCountedFromTheLastFailureThatHit(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	r := &harness{
		injects: []inject{{"kill", noon, noon.Add(time.Second), []string{"a", "b", "c"}}, {"disk", noon, noon.Add(4 * time.Second), []string{"b"}}},
		ended:   map[string]time.Time{"a": noon.Add(3 * time.Second), "b": noon.Add(9 * time.Second)},
	}
	got := r.recoveryTimes()
	if len(got["kill"]) != 1 || got["kill"][0] != 2*time.Second || len(got["disk"]) != 1 || got["disk"][0] != 5*time.Second {
		t.Errorf("converged after %v", got)
	}
}

func TestARunThatWasCutShortClaimsNoOrphansAtAll(t *testing.T) {
	r := &harness{began: time.Now(), guests: &visitors{counts: map[string]int{}}, lives: &lives{}}
	r.guests.harness = r
	if f := r.figures(); !strings.Contains(f.Orphans, "cut short") || !strings.Contains(f.Lost, "cut short") {
		t.Errorf("it claims %s orphans and %s lost", f.Orphans, f.Lost)
	}
}

func TestTheReportSaysWhatFellOff(t *testing.T) {
	r := &harness{began: time.Now(), guests: &visitors{counts: map[string]int{"PHP page": 3}}, faults: []string{"operation 01A needs a person"}, orphans: 2, balanced: true}
	r.lives, r.guests.harness = &lives{}, r
	r.guests.failures = []failure{{kind: "PHP page", said: "502 Bad Gateway"}, {kind: "PHP page", excuse: sitesDatabase}}
	path := filepath.Join(t.TempDir(), "soak.md")
	if err := r.write(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"orphans (things nobody's records know) | **2** |", "operations that need a person) | **1** |", "without an excuse | **1** |",
		"| PHP page | 3 | 1 | 1 |", "502 Bad Gateway", "- operation 01A needs a person",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the report does not hold %q:\n%s", want, text)
		}
	}
}
