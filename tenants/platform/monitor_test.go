package platform_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/findings"
	"chatiere/tenants/findings/findingstest"
	"chatiere/tenants/platform"
	"chatiere/tenants/platform/platformtest"
)

// tower is a watch over an engine in memory, with a clock of its own.
type tower struct {
	*testing.T
	engine *platformtest.Engine
	store  *findingstest.Records
	watch  *platform.Monitor
	file   string
	mu     sync.Mutex
	now    time.Time
	sites  []string
}

const panel = "chatiere-test-panel"

func making(role string) platformtest.Making {
	return platformtest.Making{
		Labels: map[string]string{tenants.LabelInstance: "test", tenants.LabelRole: role, "com.docker.compose.config-hash": "one"},
		Memory: 256, Image: "good",
	}
}

// newTower has looked once at a platform of three parts.
func newTower(t *testing.T) *tower {
	t.Helper()
	w := &tower{
		T: t, engine: platformtest.New(), store: &findingstest.Records{}, file: filepath.Join(t.TempDir(), "platform.json"),
		now: time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC),
	}
	for _, role := range []string{"panel", "mariadb", "worker"} {
		w.engine.Put("chatiere-test-"+role, making(role))
	}
	w.begin()
	w.look(0)
	return w
}

// begin starts a watch as a new worker would.
func (w *tower) begin() {
	clock := func() time.Time {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.now
	}
	log := slog.New(slog.DiscardHandler)
	w.watch = &platform.Monitor{
		Instance: "test", Roles: []string{"panel", "mariadb", "worker"}, Self: "worker", File: w.file, Engine: w.engine,
		Findings: &findings.Store{Records: w.store, Now: clock, Log: log}, Now: clock, Log: log,
		Sites: func(_ context.Context, ids []string) { w.sites = append(w.sites, ids...) },
	}
}

// look looks after some time has passed.
func (w *tower) look(after time.Duration) {
	w.Helper()
	w.mu.Lock()
	w.now = w.now.Add(after)
	w.mu.Unlock()
	w.watch.Check(w.Context())
	w.watch.Wait()
}

// open returns the codes of open findings, by subject; with ended ones too when asked.
func (w *tower) open(ended bool) []string {
	w.Helper()
	filter := tenants.FindingFilter{}
	if ended {
		filter.EndedAfter = w.now.Add(-time.Hour)
	}
	found, err := w.store.Findings(w.Context(), filter)
	if err != nil {
		w.Fatal(err)
	}
	out := []string{}
	for _, f := range found {
		out = append(out, f.Subject+" "+string(f.Code))
	}
	slices.Sort(out)
	return out
}

func (w *tower) wantOpen(want ...string) {
	w.Helper()
	if got := w.open(false); !slices.Equal(got, want) && len(got)+len(want) > 0 {
		w.Errorf("open are %q, want %q", got, want)
	}
}

func (w *tower) wantCalls(want ...string) {
	w.Helper()
	if got := w.engine.Calls(); !slices.Equal(got, want) {
		w.Errorf("the engine was asked to %q, want %q", got, want)
	}
}

func TestAPartThatIsGoneIsMadeAgainJustAsItWas(t *testing.T) {
	w := newTower(t)
	before, _ := w.engine.Container(panel)
	w.engine.Lose(panel)
	w.look(time.Second)
	w.wantCalls() // a tool may be replacing it just now
	w.look(3 * time.Second)
	w.wantCalls("make "+panel, "start "+panel)
	after, there := w.engine.Container(panel)
	if !there || after.State != "running" || after.ID == before.ID || !maps.Equal(after.Making.Labels, before.Making.Labels) || after.Making.Memory != 256 {
		t.Errorf("it is %+v", after)
	}
	w.look(time.Second)
	w.wantOpen()
	if got := w.open(true); !slices.Equal(got, []string{"panel part-gone"}) {
		t.Errorf("told is %q", got)
	}
}

func TestAPartIsMadeAgainWhileNobodyCanWriteAndIsToldAfterwards(t *testing.T) {
	w := newTower(t)
	w.engine.Lose("chatiere-test-mariadb")
	w.store.Broken = errors.New("no database")
	w.look(time.Second)
	w.look(3 * time.Second)
	w.wantCalls("make chatiere-test-mariadb", "start chatiere-test-mariadb")
	w.look(time.Second)
	w.store.Broken = nil
	w.look(time.Second)
	if got := w.open(true); !slices.Equal(got, []string{"mariadb part-gone"}) {
		t.Errorf("told is %q", got)
	}
	w.wantOpen()
}

func TestANewWorkerKnowsHowPartsAreMadeAndWaitsForAPlatformThatComesUp(t *testing.T) {
	w := newTower(t)
	w.engine.Lose(panel)
	w.begin()
	w.look(0)
	w.look(time.Minute)
	w.wantCalls()
	w.look(90 * time.Second)
	w.wantCalls("make "+panel, "start "+panel)
}

func TestAPartChangedByHandIsPutBack(t *testing.T) {
	w := newTower(t)
	w.engine.Change(panel, func(c *platformtest.Container) { c.Making.Memory = 9; c.ID = "changed" })
	w.look(time.Second)
	w.wantCalls("rename "+panel, "make "+panel, "stop "+panel+"-old", "start "+panel, "remove "+panel+"-old")
	if c, _ := w.engine.Container(panel); c.Making.Memory != 256 || c.State != "running" {
		t.Errorf("it is %+v", c)
	}
	w.look(time.Second)
	w.wantOpen()
	w.wantCalls()
	if got := w.open(true); !slices.Equal(got, []string{"panel part-changed"}) {
		t.Errorf("told is %q", got)
	}
}

func TestABrokenSuccessorNeverReplacesAWorkingPart(t *testing.T) {
	w := newTower(t)
	w.engine.Sick["good"] = true // the recorded image no longer works here
	w.engine.Change(panel, func(c *platformtest.Container) { c.Making.Image = "better"; c.ID = "changed" })
	w.look(time.Second)
	c, _ := w.engine.Container(panel)
	if c.Making.Image != "better" || c.State != "running" {
		t.Errorf("it is %+v", c)
	}
	if _, there := w.engine.Container(panel + "-old"); there {
		t.Error("something is left beside it")
	}
	w.engine.Calls()
	for range 3 {
		w.look(time.Minute)
		w.wantOpen("panel changed-by-hand")
		w.wantCalls() // one try is enough
	}
}

func TestAPartWithoutItsImageKeepsItsPlace(t *testing.T) {
	w := newTower(t)
	w.engine.Gone["good"] = true
	w.engine.Change(panel, func(c *platformtest.Container) { c.Making.Memory = 9; c.ID = "changed" })
	w.look(time.Second)
	if c, _ := w.engine.Container(panel); c.ID != "changed" || c.State != "running" {
		t.Errorf("it is %+v", c)
	}
	w.engine.Lose("chatiere-test-mariadb")
	w.look(time.Second)
	w.look(3 * time.Second)
	w.wantOpen("mariadb image-missing", "mariadb part-gone", "panel changed-by-hand")
}

func TestWhatThePlatformsOwnToolMadeAnewBecomesTheRecord(t *testing.T) {
	w := newTower(t)
	anew := making("panel")
	anew.Labels["com.docker.compose.config-hash"], anew.Memory = "two", 512
	w.engine.Put(panel, anew)
	w.look(time.Second)
	w.wantOpen()
	w.engine.Lose(panel)
	w.look(time.Second)
	w.look(3 * time.Second)
	if c, _ := w.engine.Container(panel); c.Making.Memory != 512 {
		t.Errorf("it is %+v", c)
	}
}

func TestWhatTheEngineMakesOtherwiseIsNoChangeByHand(t *testing.T) {
	w := newTower(t)
	w.engine.Quirk = "no swap limit"
	w.engine.Lose(panel)
	w.look(time.Second)
	w.look(3 * time.Second)
	w.engine.Calls()
	for range 3 {
		w.look(10 * time.Second)
		w.wantCalls()
		w.wantOpen()
	}
}

func TestAReplacementThatWasCutShortIsTakenBack(t *testing.T) {
	for name, c := range map[string]struct {
		old, current string // states; "": not there
		want         []string
	}{
		"before the making":   {"running", "", []string{"rename " + panel + "-old", "start " + panel}},
		"before the stop":     {"running", "created", []string{"remove " + panel, "rename " + panel + "-old", "start " + panel}},
		"before the start":    {"exited", "created", []string{"remove " + panel, "rename " + panel + "-old", "start " + panel}},
		"before the clean-up": {"exited", "running", []string{"remove " + panel + "-old"}},
	} {
		w := newTower(t)
		w.engine.Lose(panel)
		w.engine.Put(panel+"-old", making("panel"))
		w.engine.Change(panel+"-old", func(x *platformtest.Container) { x.State = c.old })
		if c.current != "" {
			w.engine.Put(panel, making("panel"))
			w.engine.Change(panel, func(x *platformtest.Container) { x.State = c.current })
		}
		w.look(time.Second)
		if got := w.engine.Calls(); !slices.Equal(got, c.want) {
			t.Errorf("cut %s: the engine was asked to %q, want %q", name, got, c.want)
		}
	}
}

func TestAPartStoppedByHandIsToldAndNotStarted(t *testing.T) {
	w := newTower(t)
	w.engine.Change(panel, func(c *platformtest.Container) { c.State = "exited" })
	w.look(time.Second)
	w.wantOpen()
	for range 2 {
		w.look(20 * time.Second)
		w.wantOpen("panel part-stopped")
	}
	w.wantCalls()
	w.engine.Change(panel, func(c *platformtest.Container) { c.State = "running" })
	w.look(time.Second)
	w.wantOpen()
}

func TestAPartThatKeepsEndingIsToldWithItsLastWords(t *testing.T) {
	w := newTower(t)
	for n := range 5 {
		w.engine.Change(panel, func(c *platformtest.Container) { c.RestartCount = n })
		w.look(5 * time.Second)
	}
	w.wantOpen("panel part-loop")
	found, _ := w.store.Findings(t.Context(), tenants.FindingFilter{})
	if !strings.Contains(found[0].Args["words"], "bye") {
		t.Errorf("told is %v", found[0].Args)
	}
	w.look(3 * time.Minute)
	w.look(time.Second)
	w.wantOpen()
}

func TestAnUnhealthyPartIsStartedAnewOnce(t *testing.T) {
	w := newTower(t)
	w.engine.Sick["good"] = true
	w.engine.Change(panel, func(c *platformtest.Container) { c.Health = "unhealthy" })
	w.look(time.Second)
	w.wantOpen("panel part-unhealthy")
	w.wantCalls()
	w.look(3 * time.Minute)
	w.wantCalls("stop "+panel, "start "+panel)
	for range 3 {
		w.look(5 * time.Minute)
		w.wantOpen("panel part-ill")
	}
	w.wantCalls()
}

func TestTheWorkersOwnContainerIsToldAndNotTouched(t *testing.T) {
	w := newTower(t)
	w.engine.Change("chatiere-test-worker", func(c *platformtest.Container) { c.Making.Memory = 9; c.ID = "changed" })
	w.look(time.Second)
	w.look(time.Second)
	w.wantOpen("worker changed-by-hand")
	w.wantCalls()
}

func TestAStrangerUnderOurNameIsToldAndNotTouched(t *testing.T) {
	w := newTower(t)
	w.engine.Lose(panel)
	w.engine.Put(panel, platformtest.Making{Image: "theirs"})
	w.engine.Put("odd", platformtest.Making{Labels: map[string]string{tenants.LabelInstance: "test"}})
	w.engine.Put("added", platformtest.Making{Labels: map[string]string{tenants.LabelInstance: "test", "com.docker.compose.project": "chatiere-test"}})
	w.look(time.Second)
	w.look(3 * time.Second)
	w.wantOpen("odd unknown-container", "panel name-taken", "panel part-gone")
	if c, _ := w.engine.Container(panel); c.Making.Image != "theirs" {
		t.Errorf("it is %+v", c)
	}
	w.engine.Lose(panel)
	w.look(time.Second)
	if c, _ := w.engine.Container(panel); c.Making.Image != "good" {
		t.Errorf("once the name is free it is %+v", c)
	}
}

func TestSitesWhoseContainersChangedAreHandedOn(t *testing.T) {
	w := newTower(t)
	site := func(id string) platformtest.Making {
		return platformtest.Making{Labels: map[string]string{tenants.LabelInstance: "test", tenants.LabelSite: id}}
	}
	w.engine.Put("a", site("s1"))
	w.engine.Put("b", site("s2"))
	w.look(time.Second)
	w.sites = nil
	w.look(time.Second)
	if len(w.sites) > 0 {
		t.Errorf("nothing happened, and told are %v", w.sites)
	}
	w.engine.Change("a", func(c *platformtest.Container) { c.Health = "unhealthy" })
	w.engine.Lose("b")
	w.look(time.Second)
	if !slices.Equal(w.sites, []string{"s1", "s2"}) {
		t.Errorf("told are %v", w.sites)
	}
}

func TestAFileThatCannotBeUsedIsWrittenAnew(t *testing.T) {
	for _, text := range []string{"", "{", `{"format":9,"instance":"test","parts":{}}`, `{"format":1,"instance":"other","parts":{"panel":{}}}`} {
		w := newTower(t)
		if err := os.WriteFile(w.file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w.begin()
		w.look(0)
		w.engine.Calls()
		if data, err := os.ReadFile(w.file); err != nil || !strings.Contains(string(data), `"panel"`) {
			t.Errorf("after %q the file is %s (%v)", text, data, err)
		}
		w.wantOpen()
	}
}
