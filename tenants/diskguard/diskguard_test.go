package diskguard_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/diskguard"
	"chatiere/tenants/freeze"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

const mib = 1 << 20

// house is a server with a disk of 1 GiB and 100,000 files, of which 64 MiB are the reserve.
type house struct {
	mu       sync.Mutex
	now      time.Time
	walked   []string // whose files were measured
	cleaned  []string
	written  map[string]int64 // by each site's processes, what they took back left out
	hidden   int64            // space that is gone and that no file explains
	sites    map[string]tenants.Site
	taken    map[string]diskguard.Usage
	other    diskguard.Usage // what is no site's
	stopped  []string
	wishes   []string
	busy     error
	unread   error // what measuring answers beside its numbers
	findings []tenants.Finding
	told     int
	watch    *diskguard.Guard
}

func newHouse(t *testing.T, ids ...string) *house {
	t.Helper()
	h := &house{now: time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC), sites: map[string]tenants.Site{}, taken: map[string]diskguard.Usage{}, written: map[string]int64{}}
	for _, id := range ids {
		h.sites[id] = tenants.Site{ID: id, Host: id + ".lilas.example", State: tenants.StateReady}
		h.taken[id] = diskguard.Usage{Bytes: 50 * mib, Files: 3000}
	}
	h.restart()
	return h
}

// restart begins with a worker that remembers nothing.
func (h *house) restart() {
	now, log := func() time.Time { return h.now }, slog.New(slog.DiscardHandler)
	h.watch = &diskguard.Guard{Disk: h, Records: h, Reserve: 64 * mib, Now: now, Log: log, Freezer: &freeze.Freezer{
		Records: h, Requests: h, Findings: h, Area: tenants.AreaDisk, Code: tenants.FindingSiteFrozen, Now: now, Log: log,
		Stop: func(_ context.Context, s tenants.Site) error {
			h.stopped = append(h.stopped, s.ID)
			return nil
		}}}
}

func (h *house) Space(context.Context) (diskguard.Space, error) {
	s := diskguard.Space{Total: 1024 * mib, Free: 1024*mib - h.other.Bytes - h.hidden, Inodes: 100_000, Files: 100_000 - h.other.Files}
	for _, taken := range h.taken {
		s.Free -= taken.Bytes
		s.Files -= taken.Files
	}
	return s, nil
}

func (h *house) SiteUsage(_ context.Context, s tenants.Site) (diskguard.Usage, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.walked = append(h.walked, s.ID)
	return h.taken[s.ID], h.unread
}

func (h *house) Clean(_ context.Context, s tenants.Site) error {
	h.cleaned = append(h.cleaned, s.ID)
	return nil
}

func (h *house) Written(context.Context, []tenants.Site) (map[string]int64, error) {
	return maps.Clone(h.written), nil
}

func (h *house) LiveSites(context.Context) ([]tenants.Site, error) {
	var out []tenants.Site
	for _, s := range h.sites {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b tenants.Site) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

func (h *house) Findings(context.Context, tenants.FindingFilter) ([]tenants.Finding, error) {
	return h.findings, nil
}

func (h *house) Replace(_ context.Context, _ tenants.FindingScope, seen []tenants.Finding) error {
	h.findings = seen
	h.told++
	return nil
}

func (h *house) Operation(_ context.Context, id string) (operations.Operation, error) {
	return operations.Operation{ID: id, State: operations.Done}, nil
}
func (h *house) SuspendSite(_ context.Context, r provision.Request, id string) (operations.Operation, error) {
	h.wishes = append(h.wishes, id)
	if tenants.Authorize(r.Principal, tenants.ActSiteSuspend, "lilas") != nil {
		return operations.Operation{}, tenants.ErrForbidden
	}
	if h.busy != nil {
		return operations.Operation{}, h.busy
	}
	s := h.sites[id]
	s.State = tenants.StateSuspended
	h.sites[id] = s
	return operations.Operation{}, nil
}

func (h *house) KeepSuspended(_ context.Context, r provision.Request, id string) error {
	if tenants.Authorize(r.Principal, tenants.ActSiteSuspend, "lilas") != nil {
		return tenants.ErrForbidden
	}
	if h.busy != nil {
		return h.busy
	}
	s := h.sites[id]
	s.BinnedFrom = tenants.StateSuspended
	h.sites[id] = s
	return nil
}

func (h *house) look(t *testing.T, times int) {
	t.Helper()
	for range times {
		h.now = h.now.Add(2 * time.Second)
		if err := h.watch.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func (h *house) grow(id string, bytes, files int64) {
	t := h.taken[id]
	h.taken[id] = diskguard.Usage{Bytes: t.Bytes + bytes, Files: t.Files + files}
}

func (h *house) codes() string {
	var out []string
	for _, f := range h.findings {
		out = append(out, f.Subject+":"+string(f.Code))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestTheSiteThatFillsTheDiskIsFrozenBeforeTheReserveIsTouched(t *testing.T) {
	h := newHouse(t, "s1", "s2", "s3")
	h.look(t, 6)
	for range 100 {
		h.grow("s2", 20*mib, 1)
		h.grow("s1", mib/10, 1) // its logs
		h.look(t, 1)
		if len(h.stopped) > 0 {
			break
		}
	}
	space, _ := h.Space(t.Context())
	if strings.Join(h.stopped, " ") != "s2" || strings.Join(h.wishes, " ") != "s2" || space.Free < 64*mib {
		t.Errorf("stopped %v, asked to suspend %v, %d MiB are free", h.stopped, h.wishes, space.Free/mib)
	}
	if h.codes() != "s2:site-frozen" || h.findings[0].Args["grown"] == "0" {
		t.Errorf("said %s, %v", h.codes(), h.findings)
	}
	h.look(t, 50)
	if len(h.stopped) != 1 || h.codes() != "s2:site-frozen" {
		t.Errorf("later: stopped %v, said %s", h.stopped, h.codes())
	}
}

func TestAFastGrowerIsFrozenByItsRate(t *testing.T) {
	h := newHouse(t, "s1", "s2")
	h.look(t, 6)
	h.grow("s1", 300*mib, 1) // 150 MiB a second: in ten seconds all would be gone
	h.look(t, 1)
	if strings.Join(h.stopped, " ") != "s1" {
		t.Errorf("stopped %v", h.stopped)
	}
}

func TestManySmallFilesFillADiskToo(t *testing.T) {
	h := newHouse(t, "s1", "s2")
	h.look(t, 6)
	for range 45 {
		h.grow("s1", 4096, 2000)
		h.look(t, 1)
	}
	space, _ := h.Space(t.Context())
	if strings.Join(h.stopped, " ") != "s1" || space.Files < 2000 {
		t.Errorf("stopped %v, room for %d files", h.stopped, space.Files)
	}
}

func TestNobodyIsFrozenForWhatIsNoSites(t *testing.T) {
	h := newHouse(t, "s1", "s2")
	h.look(t, 6)
	h.other.Bytes = 880 * mib
	h.grow("s1", mib, 10)
	h.look(t, 5)
	if len(h.stopped) != 0 || h.codes() != "disk:disk-reserve" {
		t.Errorf("stopped %v, said %q", h.stopped, h.codes())
	}
	h.other.Bytes = 0
	h.look(t, 30)
	if h.codes() != "" {
		t.Errorf("there is room again, and still said: %s", h.codes())
	}
}

func TestASiteThatIsHardToMeasureIsFrozenAllTheSame(t *testing.T) {
	h := newHouse(t, "s1", "s2")
	h.look(t, 6)
	h.unread = errors.New("too deep")
	h.grow("s2", 800*mib, 1)
	h.look(t, 1)
	if strings.Join(h.stopped, " ") != "s2" {
		t.Errorf("stopped %v", h.stopped)
	}
}

func TestASiteUnderOtherWorkIsStoppedUntilItCanBeSuspended(t *testing.T) {
	h := newHouse(t, "s1", "s2")
	h.look(t, 6)
	h.busy = operations.ErrBusy
	h.grow("s1", 800*mib, 1)
	h.look(t, 2)
	h.busy = nil
	h.look(t, 1)
	if len(h.stopped) != 3 || h.sites["s1"].State != tenants.StateSuspended {
		t.Errorf("stopped %v, state %s", h.stopped, h.sites["s1"].State)
	}
}

func TestAResumedSiteBeginsAnew(t *testing.T) {
	h := newHouse(t, "s1", "s2")
	h.look(t, 6)
	h.grow("s1", 800*mib, 1)
	h.look(t, 2)
	s := h.sites["s1"]
	s.State = tenants.StateReady
	h.sites["s1"] = s
	h.look(t, 3)
	if len(h.stopped) != 1 || strings.Contains(h.codes(), "site-frozen") {
		t.Errorf("resumed without growing: stopped %v, said %s", h.stopped, h.codes())
	}
	h.grow("s1", 30*mib, 1)
	h.look(t, 1)
	if len(h.stopped) != 2 {
		t.Errorf("growing on: stopped %v", h.stopped)
	}
}

func TestANewWorkerGoesOnSayingWhatIsFrozen(t *testing.T) {
	h := newHouse(t, "s1", "s2")
	h.look(t, 6)
	h.grow("s1", 800*mib, 1)
	h.look(t, 2)
	h.restart()
	h.look(t, 2)
	if !strings.Contains(h.codes(), "s1:site-frozen") {
		t.Errorf("said %s", h.codes())
	}
	s := h.sites["s1"]
	s.State = tenants.StateBinned
	h.sites["s1"] = s
	h.look(t, 2)
	if strings.Contains(h.codes(), "site-frozen") {
		t.Errorf("in the bin, and still said: %s", h.codes())
	}
}

// A manager who deletes a site while the guard stops it must not get it going again by restoring it.
func TestASiteDeletedBeforeItCouldBeSuspendedComesBackSuspended(t *testing.T) {
	h := newHouse(t, "s1", "s2")
	h.look(t, 6)
	h.busy = operations.ErrBusy // the deletion is under way
	h.grow("s1", 800*mib, 1)
	h.look(t, 2)
	s := h.sites["s1"]
	s.State, s.BinnedFrom = tenants.StateBinned, tenants.StateReady
	h.sites["s1"] = s
	h.busy = tenants.ErrUnavailable
	h.now = h.now.Add(2 * time.Second)
	if err := h.watch.Check(t.Context()); !errors.Is(err, tenants.ErrUnavailable) {
		t.Fatalf("looking without records: %v, want ErrUnavailable", err)
	}
	h.busy = nil
	h.look(t, 2)
	if got := h.sites["s1"].Reopens(); got != tenants.StateSuspended {
		t.Errorf("the site comes back %s, want suspended", got)
	}
	if strings.Contains(h.codes(), "site-frozen") {
		t.Errorf("it is in the bin and safe, and still said: %s", h.codes())
	}
}

func TestWhatDoesNotChangeIsToldOnceAMinute(t *testing.T) {
	h := newHouse(t, "s1")
	h.look(t, 300)
	if h.told < 9 || h.told > 12 {
		t.Errorf("told %d times in ten minutes", h.told)
	}
}

// What fills the disk without being in any file that has a name is found by who wrote it.
func TestASiteThatWritesWhereNobodyLooksIsFrozenAndNotItsBusyNeighbour(t *testing.T) {
	h := newHouse(t, "s1", "s2", "s3")
	h.look(t, 6)
	for range 100 {
		h.hidden += 20 * mib
		h.written["s2"] += 20 * mib
		h.grow("s1", 5*mib, 1) // an honest upload
		h.written["s1"] += 5 * mib
		h.written["s3"] += mib // and somebody's temporary files
		h.look(t, 1)
		if len(h.stopped) > 0 {
			break
		}
	}
	space, _ := h.Space(t.Context())
	if strings.Join(h.stopped, " ") != "s2" || space.Free < 64*mib || !slices.Contains(h.cleaned, "s2") {
		t.Errorf("stopped %v, cleaned after %v, %d MiB are free", h.stopped, h.cleaned, space.Free/mib)
	}
}

// What is written and removed again explains nothing, and neither does what two sites may have done.
func TestNobodyIsFrozenForSpaceThatTwoMayHaveTaken(t *testing.T) {
	h := newHouse(t, "s1", "s2")
	h.look(t, 6)
	for range 45 {
		h.hidden += 20 * mib
		h.written["s1"] += 20 * mib
		h.written["s2"] += 15 * mib
		h.look(t, 1)
	}
	if len(h.stopped) != 0 || h.codes() != "disk:disk-reserve" {
		t.Errorf("stopped %v, said %q", h.stopped, h.codes())
	}
}

func TestNoTreeIsWalkedWhileNothingIsWritten(t *testing.T) {
	h := newHouse(t, "s1", "s2", "s3")
	h.look(t, 6)
	h.walked = nil
	h.look(t, 300)
	if len(h.walked) != 0 {
		t.Errorf("walked through %v", h.walked)
	}
	h.grow("s1", 30*mib, 1)
	h.look(t, 10)
	if slices.Sort(h.walked); strings.Join(h.walked, " ") != "s1 s2 s3" {
		t.Errorf("after an upload: walked through %v", h.walked)
	}
}
