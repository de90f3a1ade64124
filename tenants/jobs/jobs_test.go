package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/jobs"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
	"chatiere/tenants/recovery"
)

// fakes answers every port of upkeep from maps.
type fakes struct {
	mu      sync.Mutex
	sites   []tenants.Site
	updated []tenants.Site // as the records have them, when that is newer than what was listed
	probes  map[string]tenants.Probe
	disk    map[string]int64
	members map[string][]tenants.Member
	admins  []string
	crons   []string
	pulses  []string
	silent  map[string]error
	hangs   map[string]bool
	purged  []string
	panics  string // a site over which it panics
	down    map[string]error
	printed map[string]string // by the hook "cron"
	scope   tenants.FindingScope
	found   []tenants.Finding
}

func (f *fakes) LiveSites(context.Context) ([]tenants.Site, error) { return f.sites, nil }
func (f *fakes) Site(_ context.Context, id string) (tenants.Site, error) {
	for _, s := range append(slices.Clone(f.updated), f.sites...) {
		if s.ID == id {
			return s, nil
		}
	}
	return tenants.Site{}, tenants.ErrNotFound
}
func (f *fakes) SaveProbe(_ context.Context, id string, p tenants.Probe) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.probes[id] = p
	return nil
}
func (f *fakes) SaveDiskUsage(_ context.Context, id string, n int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.disk[id] = n
	return nil
}
func (f *fakes) Associations(context.Context) ([]tenants.Association, error) {
	return []tenants.Association{
		{ID: "a1", Slug: "amap", State: tenants.AssociationActive}, {ID: "a2", Slug: "broken", State: tenants.AssociationActive},
		{ID: "a3", Slug: "gone", State: tenants.AssociationDeleted}, {ID: "a4", Slug: "rugby", State: tenants.AssociationActive},
	}, nil
}
func (f *fakes) SaveMembers(_ context.Context, id string, m []tenants.Member) error {
	f.members[id] = m
	return nil
}
func (f *fakes) SaveAdmins(_ context.Context, subjects []string) error {
	f.admins = subjects
	return nil
}
func (f *fakes) Admins(context.Context) ([]string, error) {
	return []string{"lea"}, f.down["/coop/admins"]
}
func (f *fakes) Usage(_ context.Context, id string) (int64, error) {
	if f.panics == id {
		panic("boom")
	}
	return 1000, f.down[id]
}
func (f *fakes) Size(context.Context, string) (int64, error) { return 24, nil }
func (f *fakes) Members(_ context.Context, slug string) ([]tenants.Member, error) {
	return []tenants.Member{{Subject: "of-" + slug}}, f.down[slug]
}
func (f *fakes) Replace(_ context.Context, scope tenants.FindingScope, seen []tenants.Finding) error {
	f.scope, f.found = scope, seen
	return nil
}
func (f *fakes) RunHook(ctx context.Context, s tenants.Site, name string) (string, error) {
	f.mu.Lock()
	f.crons = append(f.crons, s.ID+" "+name)
	hang := f.hangs[s.ID]
	f.mu.Unlock()
	if hang {
		<-ctx.Done()
		return "", ctx.Err()
	}
	return f.printed[s.ID], f.down[s.ID]
}
func (f *fakes) PurgeSite(_ context.Context, r provision.Request, id string) (operations.Operation, error) {
	if r.Principal.Kind != tenants.KindSystem {
		return operations.Operation{}, tenants.ErrForbidden
	}
	f.purged = append(f.purged, id)
	return operations.Operation{}, nil
}
func (f *fakes) Check(_ context.Context, s tenants.Site, want tenants.Page) error {
	switch want.Path {
	case "/ready":
		return f.down[s.ID]
	case "/__health":
		f.mu.Lock()
		defer f.mu.Unlock()
		f.pulses = append(f.pulses, s.ID)
		return f.silent[s.ID]
	}
	return errors.New("asked for " + want.Path)
}

func setUp(now time.Time, sites ...tenants.Site) (*fakes, *jobs.Jobs) {
	f := &fakes{
		sites: sites, probes: map[string]tenants.Probe{}, disk: map[string]int64{}, members: map[string][]tenants.Member{},
		down: map[string]error{}, silent: map[string]error{},
	}
	return f, &jobs.Jobs{
		Records: f, Private: f, Files: f, Databases: f, Directory: f, Hooks: f, Findings: f, Bin: f,
		Definition: func(context.Context, tenants.Site) (tenants.Definition, error) {
			return tenants.Definition{Ready: tenants.Page{Path: "/ready", Status: 200}, CronEvery: 5 * time.Minute}, nil
		},
		Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// The list of sites is some seconds old: meanwhile an update may have led visitors to another release.
func TestASiteThatWasUpdatedMeanwhileIsProbedAsItIs(t *testing.T) {
	old := tenants.Site{ID: "s1", State: tenants.StateReady, Release: tenants.Release{ID: "r1"}}
	f, u := setUp(time.Now(), old)
	u.Private = byRelease{"r2"}
	if err := u.Probe(t.Context()); err != nil || f.probes["s1"].Health != tenants.HealthDown {
		t.Errorf("the release that is gone: %+v, %v", f.probes["s1"], err)
	}
	updated := old
	updated.Release.ID = "r2"
	f.updated = []tenants.Site{updated}
	if err := u.ProbeSites(t.Context(), []string{"s1"}); err != nil || f.probes["s1"].Health != tenants.HealthUp {
		t.Errorf("the one that took its place: %+v, %v", f.probes["s1"], err)
	}
}

func TestASiteThatWasClosedMeanwhileIsNotNotedAsDown(t *testing.T) {
	s := tenants.Site{ID: "s1", State: tenants.StateReady, Release: tenants.Release{ID: "r1"}}
	f, u := setUp(time.Now(), s)
	u.Private = byRelease{"none"}
	s.State = tenants.StateSuspended
	f.updated = []tenants.Site{s}
	if err := u.Probe(t.Context()); err != nil || f.probes["s1"].Health != tenants.HealthUnknown {
		t.Errorf("noted %+v, %v", f.probes["s1"], err)
	}
}

// byRelease answers for one release alone.
type byRelease struct{ id string }

func (b byRelease) Check(_ context.Context, s tenants.Site, _ tenants.Page) error {
	if s.Release.ID != b.id {
		return errors.New("no such file or directory")
	}
	return nil
}

func TestProbeNotesWhatItSawOfEachReadySiteAlone(t *testing.T) {
	now := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	f, u := setUp(now, tenants.Site{ID: "s1", State: tenants.StateReady}, tenants.Site{ID: "s2", State: tenants.StateReady},
		tenants.Site{ID: "s3", State: tenants.StateSuspended})
	f.down["s2"] = errors.New("connection refused")
	if err := u.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := map[string]tenants.Probe{
		"s1": {At: now, Health: tenants.HealthUp}, "s2": {At: now, Health: tenants.HealthDown, Detail: "connection refused"},
	}
	if !reflect.DeepEqual(f.probes, want) {
		t.Errorf("noted %+v, want %+v", f.probes, want)
	}
}

func TestHowSoonASiteIsLookedAtAgainDependsOnHowItWas(t *testing.T) {
	now := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	seen := func(id string, h tenants.Health, ago time.Duration) tenants.Site {
		return tenants.Site{ID: id, State: tenants.StateReady, Probe: tenants.Probe{At: now.Add(-ago), Health: h}}
	}
	f, u := setUp(now, seen("fresh", "", 1<<40), seen("well", tenants.HealthUp, 114*time.Second), seen("well-due", tenants.HealthUp, 115*time.Second),
		seen("down", tenants.HealthDown, 24*time.Second), seen("down-due", tenants.HealthDown, 25*time.Second),
		seen("suspect", tenants.HealthUp, 4*time.Second), seen("suspect-due", tenants.HealthUp, 5*time.Second))
	u.Suspect("suspect", "suspect-due", "unknown")
	if err := u.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := slices.Sorted(maps.Keys(f.probes))
	if want := []string{"down-due", "fresh", "suspect-due", "well-due"}; !slices.Equal(got, want) {
		t.Errorf("looked at %v, want %v", got, want)
	}
}

func TestASuspectThatWasJustLookedAtIsLookedAtLater(t *testing.T) {
	now := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	f, u := setUp(now, tenants.Site{ID: "s1", State: tenants.StateReady, Probe: tenants.Probe{At: now, Health: tenants.HealthUp}})
	u.Suspect("s1")
	for _, step := range []struct {
		after  time.Duration
		looked bool
	}{{0, false}, {5 * time.Second, true}} {
		u.Now = func() time.Time { return now.Add(step.after) }
		if err := u.Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, looked := f.probes["s1"]; looked != step.looked {
			t.Errorf("after %s: looked at the suspect: %t", step.after, looked)
		}
	}
}

func TestASuspectThatIsNotReachedKeepsItsTurn(t *testing.T) {
	now := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	sites := []tenants.Site{{ID: "suspect", State: tenants.StateReady, Probe: tenants.Probe{At: now.Add(-6 * time.Second), Health: tenants.HealthUp}}}
	for i := range 4 { // as many as a round of few sites takes
		sites = append(sites, tenants.Site{ID: fmt.Sprint("new", i), State: tenants.StateReady})
	}
	f, u := setUp(now, sites...)
	u.Suspect("suspect")
	for round, want := range []bool{false, true} {
		if err := u.Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, looked := f.probes["suspect"]; looked != want {
			t.Errorf("round %d: looked at the suspect: %t", round+1, looked)
		}
		for i := range f.sites {
			if p, ok := f.probes[f.sites[i].ID]; ok {
				f.sites[i].Probe = p
			}
		}
	}
}

// slow answers after a while, and remembers how many asked at once.
type slow struct {
	took      time.Duration
	now, most atomic.Int32
}

func (p *slow) Check(context.Context, tenants.Site, tenants.Page) error {
	if n := p.now.Add(1); n > p.most.Load() {
		p.most.Store(n)
	}
	defer p.now.Add(-1)
	time.Sleep(p.took)
	return nil
}

func TestSitesTakeTheirTurnsOneByOneUnlessTheyAreSlow(t *testing.T) {
	for took, want := range map[time.Duration]int32{100 * time.Millisecond: 1, 5 * time.Second: 4} {
		synctest.Test(t, func(t *testing.T) {
			var sites []tenants.Site
			for i := range 60 {
				sites = append(sites, tenants.Site{ID: fmt.Sprint("s", i), State: tenants.StateReady})
			}
			_, u := setUp(time.Now(), sites...)
			p := &slow{took: took}
			u.Private = p
			if err := u.Probe(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := p.most.Load(); got != want {
				t.Errorf("answers that take %s: %d at once, want %d", took, got, want)
			}
		})
	}
}

func TestOneSitesTroubleKeepsNobodyFromTheirTurn(t *testing.T) {
	f, u := setUp(time.Now(), tenants.Site{ID: "s1", State: tenants.StateReady}, tenants.Site{ID: "s2", State: tenants.StateReady},
		tenants.Site{ID: "s3", State: tenants.StateBinned})
	f.down["s1"] = errors.New("no")
	if err := u.MeasureDisk(t.Context()); err == nil || !reflect.DeepEqual(f.disk, map[string]int64{"s2": 1024, "s3": 1024}) {
		t.Errorf("measured %v with error %v; want files and database of the two that answer", f.disk, err)
	}
}

func TestASiteWithItsOwnDatabaseIsMeasuredByItsFiles(t *testing.T) {
	own := tenants.Release{DatabaseEngine: tenants.DatabasePostgreSQL}
	f, u := setUp(time.Now(), tenants.Site{ID: "s2", State: tenants.StateReady}, tenants.Site{ID: "s3", State: tenants.StateReady, Release: own})
	if err := u.MeasureDisk(t.Context()); err != nil || f.disk["s3"] == 0 || f.disk["s3"] >= f.disk["s2"] {
		t.Errorf("measured %v (%v), want no database for s3", f.disk, err)
	}
}

func TestAPanicOverOneSiteKeepsNobodyFromTheirTurn(t *testing.T) {
	f, u := setUp(time.Now(), tenants.Site{ID: "s1", State: tenants.StateReady}, tenants.Site{ID: "s2", State: tenants.StateReady})
	f.panics = "s1"
	if err := u.MeasureDisk(t.Context()); !errors.Is(err, recovery.ErrPanic) || !reflect.DeepEqual(f.disk, map[string]int64{"s2": 1024}) {
		t.Errorf("measured %v with error %v", f.disk, err)
	}
}

func TestMirrorGoesOnAfterAGroupThatFails(t *testing.T) {
	f, u := setUp(time.Now())
	f.down["broken"] = errors.New("no such group")
	if err := u.MirrorMembers(t.Context()); err == nil {
		t.Error("the failure is not reported")
	}
	want := map[string][]tenants.Member{"a1": {{Subject: "of-amap"}}, "a4": {{Subject: "of-rugby"}}}
	if !reflect.DeepEqual(f.members, want) {
		t.Errorf("mirrored %v, want %v", f.members, want)
	}
}

func TestMirrorCopiesTheCoopsAdminsEvenAfterAGroupThatFails(t *testing.T) {
	f, u := setUp(time.Now())
	f.down["broken"] = errors.New("no such group")
	f.admins = []string{"lea", "zoe"}
	if err := u.MirrorMembers(t.Context()); err == nil || !reflect.DeepEqual(f.admins, []string{"lea"}) {
		t.Errorf("admins are %v (%v), want lea alone", f.admins, err)
	}
}

func TestADirectoryThatDoesNotAnswerUnmakesNoAdmin(t *testing.T) {
	f, u := setUp(time.Now())
	f.down["/coop/admins"] = tenants.ErrUnavailable
	f.admins = []string{"lea", "zoe"}
	if err := u.MirrorMembers(t.Context()); !errors.Is(err, tenants.ErrUnavailable) || len(f.admins) != 2 {
		t.Errorf("admins are %v (%v), want both still", f.admins, err)
	}
}

func TestOnlyWhatHasLainInTheBinLongEnoughIsPurged(t *testing.T) {
	now := time.Now()
	old, young := now.Add(-tenants.BinPeriod-time.Minute), now.Add(-tenants.BinPeriod+time.Minute)
	f, u := setUp(now, tenants.Site{ID: "s1", State: tenants.StateBinned, BinnedAt: &old},
		tenants.Site{ID: "s2", State: tenants.StateBinned, BinnedAt: &young}, tenants.Site{ID: "s3", State: tenants.StateReady})
	if err := u.EmptyBin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.purged, []string{"s1"}) {
		t.Errorf("purged %v, want s1 alone", f.purged)
	}
}
