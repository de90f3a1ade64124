//go:build integration

package mysql_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/mysql"
)

func TestAssociationsComeBackAsTheyWentIn(t *testing.T) {
	ctx, s := store(t)
	a := association(t, ctx, s, "lilas")
	a.Name, a.GroupID, a.State = "Les Lilas – été 🌸", "0d7c", tenants.AssociationActive
	must(t, s.UpdateAssociation(ctx, a))
	for by, read := range map[string]func() (tenants.Association, error){
		"id":   func() (tenants.Association, error) { return s.Association(ctx, a.ID) },
		"slug": func() (tenants.Association, error) { return s.AssociationBySlug(ctx, "lilas") },
	} {
		if got, err := read(); err != nil || got != a {
			t.Errorf("by %s: %+v (%v), want %+v", by, got, err, a)
		}
	}
	_, err := s.Association(ctx, "a000000000")
	wants(t, "reading one that is not there", err, tenants.ErrNotFound)
	_, err = s.AssociationBySlug(ctx, "été")
	wants(t, "reading one by a slug that cannot be", err, tenants.ErrNotFound)
	wants(t, "writing a slug that cannot be", s.CreateAssociation(ctx, tenants.Association{ID: "a000000001", Slug: "été", CreatedAt: at}), tenants.ErrInvalid)
	wants(t, "updating one that is not there", s.UpdateAssociation(ctx, tenants.Association{ID: "a000000000", Slug: "x"}), tenants.ErrNotFound)
}

func TestASlugBelongsToOneAssociationUntilItGivesItUp(t *testing.T) {
	ctx, s := store(t)
	a := association(t, ctx, s, "lilas")
	a.State = tenants.AssociationDeleted
	must(t, s.UpdateAssociation(ctx, a))
	again := tenants.Association{ID: tenants.NewAssociationID(), Slug: "lilas", State: tenants.AssociationCreating, CreatedAt: at}
	wants(t, "a slug that is still held", s.CreateAssociation(ctx, again), tenants.ErrConflict)
	_, err := s.AssociationBySlug(ctx, "lilas")
	wants(t, "looking for a deleted one", err, tenants.ErrNotFound)
	a.Slug += "~" + a.ID
	must(t, s.UpdateAssociation(ctx, a))
	must(t, s.CreateAssociation(ctx, again))
	again.State = tenants.AssociationDeleted
	must(t, s.UpdateAssociation(ctx, again))
	if got, err := s.Associations(ctx); err != nil || len(got) != 0 {
		t.Errorf("the list has %v (%v), want none", got, err)
	}
}

func TestAssociationsBySlugsLeavesOutTheUnknown(t *testing.T) {
	ctx, s := store(t)
	b, a := association(t, ctx, s, "b-lilas"), association(t, ctx, s, "a-roses")
	association(t, ctx, s, "c-autres")
	got, err := s.AssociationsBySlugs(ctx, []string{"b-lilas", "nobody", "été", "a-roses"})
	if err != nil || !reflect.DeepEqual(got, []tenants.Association{a, b}) {
		t.Errorf("got %v (%v), want %v and %v", got, err, a, b)
	}
	if got, err := s.AssociationsBySlugs(ctx, nil); err != nil || len(got) != 0 {
		t.Errorf("no slugs give %v (%v)", got, err)
	}
}

func TestSitesComeBackAsTheyWentIn(t *testing.T) {
	ctx, s := store(t)
	x := site(t, ctx, s, association(t, ctx, s, "lilas"), "blog.lilas.example")
	binned := at.Add(time.Hour)
	x.State, x.BinnedAt, x.Name = tenants.StateBinned, &binned, "Été"
	must(t, s.UpdateSite(ctx, x))
	x.Probe = tenants.Probe{At: at, Health: tenants.HealthDown, Detail: "refused"}
	x.DiskBytes = 1 << 40
	must(t, s.SaveProbe(ctx, x.ID, x.Probe))
	must(t, s.SaveDiskUsage(ctx, x.ID, x.DiskBytes))
	x.Release = release(x, 1, "01opaaaaaaaaaaaaaaaaaaaaaa")
	must(t, s.CreateRelease(ctx, &x.Release, tenants.Definition{}))
	must(t, s.SetRelease(ctx, x.Release))
	must(t, s.SaveUpdateAvailable(ctx, x.ID, "r00000000", true)) // another release by now
	if got, err := s.Site(ctx, x.ID); err != nil || got.UpdateAvailable {
		t.Errorf("what was compared with another release counts: %v, %v", got.UpdateAvailable, err)
	}
	x.UpdateAvailable = true
	must(t, s.SaveUpdateAvailable(ctx, x.ID, x.Release.ID, true))
	stale := x
	stale.Probe, stale.DiskBytes, stale.Release = tenants.Probe{}, 0, tenants.Release{}
	must(t, s.UpdateSite(ctx, stale)) // must not undo what was measured
	got, err := s.Site(ctx, x.ID)
	if err != nil || !reflect.DeepEqual(got, x) {
		t.Errorf("got %+v (%v), want %+v", got, err, x)
	}
	x.BinnedAt = nil
	must(t, s.UpdateSite(ctx, x))
	if got, _ := s.Site(ctx, x.ID); got.BinnedAt != nil {
		t.Error("a site taken out of the bin still is in it")
	}
	wants(t, "updating one that is not there", s.UpdateSite(ctx, tenants.Site{ID: "s000000000"}), tenants.ErrNotFound)
	wants(t, "its probe", s.SaveProbe(ctx, "s000000000", x.Probe), tenants.ErrNotFound)
	wants(t, "its usage", s.SaveDiskUsage(ctx, "s000000000", 1), tenants.ErrNotFound)
}

func TestAHostIsTakenWhileItsSiteLives(t *testing.T) {
	ctx, s := store(t)
	a := association(t, ctx, s, "lilas")
	x := site(t, ctx, s, a, "blog.example")
	for state, free := range map[tenants.SiteState]bool{
		tenants.StateReady: false, tenants.StateSuspended: false, tenants.StateBinned: false,
		tenants.StatePurged: true, tenants.StateAborted: true,
	} {
		x.State = state
		must(t, s.UpdateSite(ctx, x))
		if taken, err := s.HostTaken(ctx, "blog.example"); err != nil || taken == free {
			t.Errorf("%s: taken %v (%v)", state, taken, err)
		}
	}
	x.State = tenants.StatePurged
	must(t, s.UpdateSite(ctx, x))
	second := site(t, ctx, s, a, "blog.example")
	third := newSite(a, "blog.example")
	wants(t, "a second live site at one host", s.CreateSite(ctx, &third), tenants.ErrConflict)
	x.State = tenants.StateReady
	wants(t, "bringing the first back to life", s.UpdateSite(ctx, x), tenants.ErrConflict)
	if live, err := s.LiveSites(ctx); err != nil || len(live) != 1 || live[0].ID != second.ID {
		t.Errorf("live are %v (%v), want %s", live, err, second.ID)
	}
}

func TestUserIDsAreNeverGivenTwice(t *testing.T) {
	ctx, s := store(t)
	a := association(t, ctx, s, "lilas")
	var wg sync.WaitGroup
	uids := make(chan int, 20)
	for i := range cap(uids) {
		wg.Go(func() {
			x := newSite(a, string(rune('a'+i))+".example")
			if err := s.CreateSite(ctx, &x); err != nil {
				t.Error(err)
			}
			uids <- x.UID
		})
	}
	wg.Wait()
	close(uids)
	seen := map[int]bool{}
	for uid := range uids {
		if seen[uid] || uid < 200000 || uid >= 200020 {
			t.Errorf("uid %d was given twice or out of line", uid)
		}
		seen[uid] = true
	}
	must(t, s.RaiseUIDs(ctx, 200500))
	must(t, s.RaiseUIDs(ctx, 200300)) // never back
	if x := site(t, ctx, s, a, "after.example"); x.UID != 200501 {
		t.Errorf("after raising to 200500 the next is %d", x.UID)
	}
}

func TestTheRangeOfUserIDsHasAnEnd(t *testing.T) {
	ctx, first, d := storeOn(t)
	c := d.Config(d.Panel) // the panel makes the row, so it must have the rights for it
	c.FirstUID, c.LastUID = 300, 301
	s := as(t, c)
	a := association(t, ctx, first, "lilas")
	site(t, ctx, s, a, "a.example")
	if x := site(t, ctx, s, a, "b.example"); x.UID != 301 {
		t.Errorf("the second got %d, want 301", x.UID)
	}
	x := newSite(a, "c.example")
	wants(t, "one more than the range", s.CreateSite(ctx, &x), tenants.ErrUnavailable)
	if x.UID != 0 {
		t.Errorf("the refused site got %d", x.UID)
	}
}

func TestSitesCanBeNarrowed(t *testing.T) {
	ctx, s := store(t)
	lilas, roses := association(t, ctx, s, "lilas"), association(t, ctx, s, "roses")
	blog, shop := site(t, ctx, s, lilas, "blog.example"), site(t, ctx, s, roses, "100_pour.example")
	shop.State, shop.Name = tenants.StateReady, "Échoppe 100%"
	must(t, s.UpdateSite(ctx, shop))
	for name, c := range map[string]struct {
		filter mysql.SiteFilter
		want   []string
	}{
		"all":                  {mysql.SiteFilter{}, []string{shop.ID, blog.ID}},
		"by association":       {mysql.SiteFilter{AssociationIDs: []string{lilas.ID}}, []string{blog.ID}},
		"of no association":    {mysql.SiteFilter{AssociationIDs: []string{}}, nil},
		"by state":             {mysql.SiteFilter{States: []tenants.SiteState{tenants.StateReady}}, []string{shop.ID}},
		"by part of a host":    {mysql.SiteFilter{Search: "LOG.exa"}, []string{blog.ID}},
		"by name and accent":   {mysql.SiteFilter{Search: "échoppe"}, []string{shop.ID}},
		"by association name":  {mysql.SiteFilter{Search: "Asso Lil"}, []string{blog.ID}},
		"percent is a sign":    {mysql.SiteFilter{Search: "0%"}, []string{shop.ID}},
		"underscore is a sign": {mysql.SiteFilter{Search: "g_e"}, nil},
		"quote is a sign":      {mysql.SiteFilter{Search: `' OR 1=1 -- \`}, nil},
	} {
		got, err := s.Sites(ctx, c.filter)
		var ids []string
		for _, x := range got {
			ids = append(ids, x.ID)
		}
		slices.Sort(ids)
		slices.Sort(c.want)
		if err != nil || !slices.Equal(ids, c.want) {
			t.Errorf("%s: %v (%v), want %v", name, ids, err, c.want)
		}
	}
}

func TestATransactionLeavesNothingWhenItFails(t *testing.T) {
	ctx, s := store(t)
	broken := errors.New("broken")
	err := s.Transact(ctx, func(ctx context.Context) error {
		association(t, ctx, s, "lilas")
		if err := s.Transact(ctx, func(ctx context.Context) error { association(t, ctx, s, "roses"); return nil }); err != nil {
			return err
		}
		if got, err := s.Associations(ctx); err != nil || len(got) != 2 {
			t.Errorf("inside, %d are seen (%v), want 2", len(got), err)
		}
		return broken
	})
	wants(t, "the failed transaction", err, broken)
	if got, err := s.Associations(ctx); err != nil || len(got) != 0 {
		t.Errorf("%d are left (%v)", len(got), err)
	}
}

func TestADeadlockIsOvercome(t *testing.T) {
	ctx, s := store(t)
	a, b := association(t, ctx, s, "aa"), association(t, ctx, s, "bb")
	both := make(chan struct{}, 2)
	var wg sync.WaitGroup
	var tries sync.Map
	crosswise := func(first, second tenants.Association) {
		err := s.Transact(ctx, func(ctx context.Context) error {
			n, _ := tries.LoadOrStore(first.ID, new(int))
			*n.(*int)++
			if err := s.UpdateAssociation(ctx, first); err != nil {
				return err
			}
			if *n.(*int) == 1 { // each holds its first row before either asks for its second
				both <- struct{}{}
				for len(both) < 2 && ctx.Err() == nil {
					time.Sleep(time.Millisecond)
				}
			}
			return s.UpdateAssociation(ctx, second)
		})
		if err != nil {
			t.Error(err)
		}
	}
	wg.Go(func() { crosswise(a, b) })
	wg.Go(func() { crosswise(b, a) })
	wg.Wait()
	total := 0
	tries.Range(func(_, n any) bool { total += *n.(*int); return true })
	if total < 3 {
		t.Errorf("%d tries: there was no deadlock, so nothing was shown", total)
	}
}
