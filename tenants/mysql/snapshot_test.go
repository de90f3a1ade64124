//go:build integration

package mysql_test

import (
	"reflect"
	"testing"
	"time"

	"chatiere/tenants"
)

func TestTheListOfSnapshotsIsReplacedAsAWhole(t *testing.T) {
	ctx, s := store(t)
	a, b := association(t, ctx, s, "lilas"), association(t, ctx, s, "roses")
	x, y := site(t, ctx, s, a, "blog.lilas.example"), site(t, ctx, s, b, "blog.roses.example")
	snapshot := func(id string, of tenants.Site, hours int) tenants.Snapshot {
		return tenants.Snapshot{
			ID: id, SiteID: of.ID, AssociationID: of.AssociationID, Reason: tenants.SnapshotDaily, TakenAt: at.Add(time.Duration(hours) * time.Hour),
			EndedAt: at.Add(time.Duration(hours)*time.Hour + time.Minute), Template: "wordpress", Version: "6.8", Files: 7, Bytes: 1 << 40, DatabaseBytes: 3,
			Missing: []string{"é/socket"}, MissingCount: 1, Pinned: true,
		}
	}
	old, newer, foreign := snapshot("k1", x, 1), snapshot("k2", x, 2), snapshot("k3", y, 3)
	must(t, s.SaveSnapshots(ctx, a.ID, []tenants.Snapshot{old}))
	must(t, s.SaveSnapshots(ctx, b.ID, []tenants.Snapshot{foreign}))
	must(t, s.SaveSnapshots(ctx, a.ID, []tenants.Snapshot{old, newer}))
	if got, err := s.Snapshots(ctx, x.ID); err != nil || !reflect.DeepEqual(got, []tenants.Snapshot{newer, old}) {
		t.Errorf("got %+v (%v), want the newer and the older", got, err)
	}
	if got, err := s.Snapshot(ctx, y.ID, foreign.ID); err != nil || !reflect.DeepEqual(got, foreign) {
		t.Errorf("the other association's: %+v (%v)", got, err)
	}
	_, err := s.Snapshot(ctx, x.ID, foreign.ID)
	wants(t, "a snapshot of another site", err, tenants.ErrNotFound)
	newest, err := s.NewestSnapshots(ctx)
	if err != nil || len(newest) != 2 || !newest[x.ID].Equal(newer.TakenAt) || !newest[y.ID].Equal(foreign.TakenAt) {
		t.Errorf("the newest are %v (%v)", newest, err)
	}
	must(t, s.SaveSnapshots(ctx, a.ID, nil))
	if got, err := s.Snapshots(ctx, x.ID); err != nil || len(got) != 0 {
		t.Errorf("after the list was emptied: %+v (%v)", got, err)
	}
}

func TestTheLastGenerationIsTheHighestOfAllReleases(t *testing.T) {
	ctx, s := store(t)
	x := site(t, ctx, s, association(t, ctx, s, "lilas"), "blog.lilas.example")
	for number, generation := range []int{1, 3, 2} {
		want := []int{0, 1, 3}[number]
		if got, err := s.LastGeneration(ctx, x.ID); err != nil || got != want {
			t.Errorf("after %d releases the last generation is %d (%v), want %d", number, got, err, want)
		}
		r := release(x, number+1, "")
		r.Generation = generation
		must(t, s.CreateRelease(ctx, &r, tenants.Definition{}))
	}
}
