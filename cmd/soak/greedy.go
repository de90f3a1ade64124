package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"

	"chatiere/cmd/internal/testbed"
	"chatiere/panel/api"
	"chatiere/tenants"
	"chatiere/tenants/diskguard"
)

// greed is what hostile code in a site does to the disk that it shares with all others: some 160 MB or 2,000 files a second.
var greed = []struct{ kind, script string }{
	{"a site that fills the disk with bytes", `i=0; while :; do i=$((i+1)); head -c 16777216 /dev/zero >/data/f$i; sleep 0.1; done`},
	{"a site that fills the disk with files", `mkdir /data/d; i=0; while :; do i=$((i+1)); : >/data/d/$i; [ $((i % 200)) -ne 0 ] || sleep 0.1; done`},
}

// greedyRounds lets one site after the other fill the disk, and wants it frozen before the reserve is touched.
func (r *harness) greedyRounds(ctx context.Context) error {
	if !r.options.greedy {
		return nil
	}
	for _, g := range greed {
		if err := r.greedyOnce(ctx, g.kind, g.script); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// mostGreedy is how long a site may take to fill what is free; it is frozen long before that.
const mostGreedy = 5 * time.Minute

func (r *harness) greedyOnce(ctx context.Context, kind, script string) error {
	random := rand.New(rand.NewPCG(r.seed, 99))
	site, err := r.createVictim(ctx, random)
	if err != nil {
		return err
	}
	s, err := r.site(ctx, site)
	if err != nil {
		return err
	}
	if s.Release == nil {
		return fmt.Errorf("site %s has no release", site)
	}
	if _, err := testbed.Docker(ctx, "exec", "-d", s.Release.Containers[0], "sh", "-c", script); err != nil {
		return err
	}
	from := time.Now()
	var least unix.Statfs_t
	err = testbed.Await(ctx, mostGreedy, 200*time.Millisecond, "the freeze of "+site, func() error {
		var fs unix.Statfs_t
		if err := unix.Statfs(r.Config.Root, &fs); err != nil {
			return err
		}
		if least.Bsize == 0 || fs.Bavail < least.Bavail {
			least.Bsize, least.Bavail, least.Blocks = fs.Bsize, fs.Bavail, fs.Blocks
		}
		if least.Files == 0 || fs.Ffree < least.Ffree {
			least.Files, least.Ffree = fs.Files, fs.Ffree
		}
		s, err := r.site(ctx, site)
		if err == nil && s.State != string(tenants.StateSuspended) {
			err = errors.New(s.State)
		}
		return err
	})
	if err != nil {
		r.fail("%s: %v", kind, err)
	}
	free, all := int64(least.Bavail)*least.Bsize, int64(least.Blocks)*least.Bsize
	if kept := diskguard.ReserveBytes(int64(r.Config.Disk.ReserveMiB)<<20, all); free < kept {
		r.fail("%s: %d MiB were left, of a reserve of %d", kind, free>>20, kept>>20)
	}
	if least.Ffree == 0 {
		r.fail("%s: no file could be made any more", kind)
	}
	if err := r.awaitFreezeFinding(ctx, site); err != nil {
		r.fail("%s: %v", kind, err)
	}
	r.injected(kind, from, nil)
	r.note("%s was frozen after %s; %d MiB and %d files were left.", kind, round(time.Since(from)), free>>20, least.Ffree)
	for _, act := range []string{"delete", "purge"} {
		r.lives.runOperation(ctx, random, "site."+act, api.Item(api.PathSites, site, act), nil)
	}
	return ctx.Err()
}

// createVictim makes a site. Some of them are cancelled on their way, as all lives are.
func (r *harness) createVictim(ctx context.Context, random *rand.Rand) (string, error) {
	for range 10 {
		id, _ := r.lives.createSite(ctx, random)
		if s, err := r.site(ctx, id); err == nil && s.State == string(tenants.StateReady) {
			return id, nil
		}
	}
	return "", errors.New("no site for hostile code")
}

// awaitFreezeFinding waits for what the panel tells of it.
func (r *harness) awaitFreezeFinding(ctx context.Context, site string) error {
	return testbed.Await(ctx, 30*time.Second, 500*time.Millisecond, "the finding about "+site, func() error {
		var l api.List[api.Finding]
		if err := r.Panel.Get(ctx, api.PathFindings, &l); err != nil {
			return err
		}
		for _, f := range l.Items {
			if f.Subject == site && f.Code == string(tenants.FindingSiteFrozen) {
				r.note("The panel said of it: %s", f.Says)
				return nil
			}
		}
		return fmt.Errorf("%v", l.Items)
	})
}
