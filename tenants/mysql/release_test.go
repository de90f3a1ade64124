//go:build integration

package mysql_test

import (
	"reflect"
	"testing"

	"chatiere/tenants"
)

func release(s tenants.Site, number int, operationID string) tenants.Release {
	return tenants.Release{
		ID: tenants.NewReleaseID(), SiteID: s.ID, Number: number, Template: s.Template, Version: "6.8", Generation: 1, Sockets: "r1",
		Containers: []tenants.ReleaseContainer{{Name: "web", Container: "chatiere-test-1", ImageID: "sha256:01", Front: true}},
		CreatedAt:  at, OperationID: operationID, Mode: "mutualise", DatabaseEngine: tenants.DatabasePostgreSQL, Places: []string{"pages/themes", "plugins"},
	}
}

func TestReleasesComeBackAsTheyWentIn(t *testing.T) {
	ctx, s := store(t)
	x := site(t, ctx, s, association(t, ctx, s, "lilas"), "blog.lilas.example")
	n, err := s.NextRelease(ctx, x.ID)
	if err != nil || n != 1 {
		t.Errorf("the first release is number %d (%v)", n, err)
	}
	d := tenants.Definition{
		Containers: []tenants.ContainerSpec{{
			Name: "chatiere-test-1", Image: "sha256:01", Env: []string{"A=b"}, Labels: map[string]string{"l": "v"},
			Mounts: []tenants.Mount{{Source: "/a", Target: "/b", ReadOnly: true}}, Tmpfs: map[string]string{"/tmp": "size=1m"}, Network: "none",
		}},
		Hooks: []tenants.Hook{{Name: "cron", Container: "db", Command: []string{"run"}, Timeout: 90}}, Ready: tenants.Page{Path: "/", Status: 200, Contains: "é"}, CronEvery: 5,
	}
	first := release(x, 1, "01opaaaaaaaaaaaaaaaaaaaaaa")
	must(t, s.CreateRelease(ctx, &first, d))
	if got, err := s.Release(ctx, first.ID); err != nil || !reflect.DeepEqual(got, first) {
		t.Errorf("got %+v (%v), want %+v", got, err, first)
	}
	if got, err := s.Definition(ctx, first.ID); err != nil || !reflect.DeepEqual(got, d) {
		t.Errorf("its definition is %+v (%v), want %+v", got, err, d)
	}
	again := release(x, 2, first.OperationID)
	must(t, s.CreateRelease(ctx, &again, tenants.Definition{}))
	if !reflect.DeepEqual(again, first) {
		t.Errorf("the same operation made %+v and then %+v", first, again)
	}
	other := release(x, 1, "01opbbbbbbbbbbbbbbbbbbbbbb")
	wants(t, "a number twice", s.CreateRelease(ctx, &other, d), tenants.ErrConflict)
	if n, err = s.NextRelease(ctx, x.ID); err != nil || n != 2 {
		t.Errorf("the next release is number %d (%v)", n, err)
	}
	_, err = s.Definition(ctx, "r00000000")
	wants(t, "a definition that is not there", err, tenants.ErrNotFound)
}

func TestAReleaseThatASiteHasIsNeverForgotten(t *testing.T) {
	ctx, s := store(t)
	x := site(t, ctx, s, association(t, ctx, s, "lilas"), "blog.lilas.example")
	reached, given := release(x, 1, "01opaaaaaaaaaaaaaaaaaaaaaa"), release(x, 2, "01opbbbbbbbbbbbbbbbbbbbbbb")
	for _, r := range []*tenants.Release{&reached, &given} {
		must(t, s.CreateRelease(ctx, r, tenants.Definition{}))
	}
	must(t, s.SetRelease(ctx, reached))
	for _, r := range []tenants.Release{reached, given, given} {
		must(t, s.DeleteRelease(ctx, x.ID, r.OperationID))
	}
	if _, err := s.Release(ctx, reached.ID); err != nil {
		t.Errorf("the one that the site has is gone: %v", err)
	}
	_, err := s.Release(ctx, given.ID)
	wants(t, "the one that was given up", err, tenants.ErrNotFound)
	if got, err := s.Site(ctx, x.ID); err != nil || got.Release.ID != reached.ID || got.Release.Front().ImageID != "sha256:01" {
		t.Errorf("the site has %+v (%v)", got.Release, err)
	}
	sites, err := s.LiveSites(ctx)
	if err != nil || len(sites) != 1 || !reflect.DeepEqual(sites[0].Release, reached) {
		t.Errorf("listed with %+v (%v)", sites, err)
	}
}

func TestSitesOfBeforeReleasesAreFoundOnce(t *testing.T) {
	ctx, s, d := storeOn(t)
	x := site(t, ctx, s, association(t, ctx, s, "lilas"), "blog.lilas.example")
	site(t, ctx, s, association(t, ctx, s, "roses"), "not-made-yet.lilas.example")
	if _, err := d.Open(t, d.Worker).ExecContext(ctx, "UPDATE sites SET version = '6.8', image_id = 'sha256:old' WHERE id = ?", x.ID); err != nil {
		t.Fatal(err)
	}
	found, err := s.Unreleased(ctx)
	if err != nil || len(found) != 1 || !reflect.DeepEqual(found[0], tenants.Unreleased{Site: x, Version: "6.8", ImageID: "sha256:old"}) {
		t.Errorf("found %+v (%v)", found, err)
	}
	r := release(x, 1, "")
	must(t, s.CreateRelease(ctx, &r, tenants.Definition{}))
	must(t, s.SetRelease(ctx, r))
	if found, err := s.Unreleased(ctx); err != nil || len(found) > 0 {
		t.Errorf("still found %+v (%v)", found, err)
	}
}
