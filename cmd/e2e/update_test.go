//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"chatiere/panel/api"
	"chatiere/tenants"
)

// The new release comes up beside the old one, on sockets of its own; visitors are led over when it has answered and the
// proxy knows, and the old one finishes what it serves.
func TestAnUpdateUnderLoadFailsNoRequest(t *testing.T) {
	i := open(t)
	s := i.site(t, i.summary.Sites[0].ID)
	old := i.container(s.ID)
	i.outdate(t, s.ID)
	eventually(t, 2*time.Minute, "the update to be offered", func() (bool, string) {
		now := i.site(t, s.ID)
		return now.UpdateAvailable != nil && *now.UpdateAvailable, fmt.Sprint(now.UpdateAvailable)
	})
	v := i.crowd(t)
	eventually(t, back, "visitors to come", func() (bool, string) {
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.asked > 20, fmt.Sprint(v.asked)
	})
	i.done(t, i.wish(t, api.Item(api.PathSites, s.ID, "update"), nil), 2*time.Minute)
	after := v.count()
	eventually(t, back, "more visitors to come", func() (bool, string) { return v.count() > after+20, fmt.Sprint(v.count()) })
	v.end()
	for what, failed := range v.failed {
		if len(failed) > 0 {
			t.Errorf("%d of %d requests failed (%s), the first: %+v", len(failed), v.asked, what, failed[0])
		}
	}
	now := i.site(t, s.ID)
	if now.Release.Number <= s.Release.Number || now.Release.Sockets == s.Release.Sockets || now.Release.Containers[0] == old {
		t.Errorf("the release is %+v, was %+v", now.Release, s.Release)
	}
	if said, err := tryRun("docker", "inspect", "-f", "{{.State.Status}}", old); err == nil {
		t.Errorf("the old container is left: %s", said)
	}
	entries, err := os.ReadDir(i.config.Paths().App(s.ID))
	if err != nil {
		t.Fatal(err)
	}
	var there []string
	for _, e := range entries {
		there = append(there, e.Name())
	}
	if want := []string{now.Release.Sockets}; !slices.Equal(there, want) {
		t.Errorf("in %s there are %v, want %v", i.config.Paths().App(s.ID), there, want)
	}
}

// outdate gives a site's record a release that runs like the one it has and that its template would not make: its tasks
// would run at other times.
func (i *instance) outdate(t *testing.T, site string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	store := i.records(t)
	s, err := store.Site(ctx, site)
	if err != nil {
		t.Fatal(err)
	}
	d, err := store.Definition(ctx, s.Release.ID)
	if err != nil {
		t.Fatal(err)
	}
	number, err := store.NextRelease(ctx, site)
	if err != nil {
		t.Fatal(err)
	}
	d.CronEvery += time.Second
	other := s.Release
	other.ID, other.Number, other.OperationID = tenants.NewReleaseID(), number, ""
	if err := errors.Join(store.CreateRelease(ctx, &other, d), store.SetRelease(ctx, other)); err != nil {
		t.Fatal(err)
	}
}

func (v *crowd) count() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.asked
}
