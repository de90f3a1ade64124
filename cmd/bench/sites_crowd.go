package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"chatiere/cmd/internal/apiclient"
	"chatiere/cmd/internal/testbed"
	"chatiere/panel/api"
	"chatiere/tenants/schedule"
)

// crowd is many sites that run at once.
type crowd struct {
	sites, running, own int           // wished for, containers that run, sites that showed their own title
	provisioned         time.Duration // from the first wish to the last operation's end
	memory              float64       // of all sites together, MiB, proportional
	available           float64       // by how much the machine's available memory shrank, MiB
	platform            map[string]float64
	rounds              []time.Duration // of the reconciler
}

// roles are the platform's containers.
var roles = []string{"proxy", "panel", "worker", "gateway", "mariadb", "mariadb-sites", "keycloak"}

// roundsMeasured of the reconciler, each a minute apart.
const roundsMeasured = 3

func (s *sites) measureCrowd(ctx context.Context) (crowd, error) {
	c := crowd{platform: map[string]float64{}}
	before, err := available()
	if err != nil {
		return c, err
	}
	there, err := s.list(ctx)
	if err != nil {
		return c, err
	}
	began := time.Now()
	if err := s.provision(ctx, s.many-len(there)); err != nil {
		return c, err
	}
	c.provisioned = time.Since(began)
	if there, err = s.list(ctx); err != nil {
		return c, err
	}
	c.sites = len(there)
	c.own = s.countTitles(ctx, there)
	if c.rounds, err = s.rounds(ctx); err != nil {
		return c, err
	}
	after, err := available()
	if err != nil {
		return c, err
	}
	c.available = before - after
	return c, s.sumMemory(ctx, there, &c)
}

func (s *sites) list(ctx context.Context) ([]api.Site, error) {
	var l api.List[api.Site]
	err := s.Panel.Get(ctx, api.Prefix+api.PathSites, &l)
	return l.Items, err
}

// provision wishes for n sites at once, as the operations' queue takes them, and waits for the last.
func (s *sites) provision(ctx context.Context, n int) error {
	var ops []api.Operation
	for i := range n {
		op, err := s.requestSite(ctx, fmt.Sprintf("Foule %d %s", i, testbed.Word()))
		if err != nil {
			return err
		}
		ops = append(ops, op)
	}
	for i, op := range ops {
		if i%20 == 0 {
			s.logf("%d of %d sites stand", i, n)
		}
		err := testbed.Await(ctx, 10*time.Minute, poll, "operation "+op.ID, func() error {
			if err := s.Panel.Get(ctx, api.Item(api.PathOperations, op.ID), &op); err != nil {
				return err
			}
			if !op.Ended() {
				return fmt.Errorf("%w: operation %s is %s", errOther, op.ID, op.State)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if op.State != "done" {
			return fmt.Errorf("%w: operation %s ended %s: %s", errOther, op.ID, op.State, op.Detail)
		}
	}
	return nil
}

// countTitles counts the sites that show their own title, a few asked at a time.
func (s *sites) countTitles(ctx context.Context, there []api.Site) int {
	next := make(chan api.Site)
	var all sync.WaitGroup
	var mu sync.Mutex
	own := 0
	for range 8 {
		all.Go(func() {
			for site := range next {
				err := s.checkTitle(ctx, site.URL, site.Name)
				mu.Lock()
				if err == nil {
					own++
				} else {
					s.logf("%v", err)
				}
				mu.Unlock()
			}
		})
	}
	for _, site := range there {
		next <- site
	}
	close(next)
	all.Wait()
	return own
}

// rounds asks the worker how long the reconciler took, in the next few rounds.
func (s *sites) rounds(ctx context.Context) ([]time.Duration, error) {
	var out []time.Duration
	last := time.Now()
	for len(out) < roundsMeasured {
		var o schedule.Outcome
		err := testbed.Await(ctx, 5*time.Minute, poll, "the reconciler's round", func() (err error) {
			if o, err = s.job(ctx, "reconcile"); err == nil && !o.Started.After(last) {
				err = fmt.Errorf("%w: no round since %s", errOther, last)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if o.Error != "" {
			return nil, fmt.Errorf("%w: the round failed: %s", errOther, o.Error)
		}
		s.logf("the reconciler's round took %s", o.Took)
		out, last = append(out, o.Took), o.Started
	}
	return out, nil
}

func (s *sites) job(ctx context.Context, name string) (schedule.Outcome, error) {
	var jobs []schedule.Outcome
	if err := apiclient.Ask(ctx, s.Config.Paths().WorkerSocket(), "/jobs", &jobs); err != nil {
		return schedule.Outcome{}, err
	}
	for _, o := range jobs {
		if o.Job == name {
			return o, nil
		}
	}
	return schedule.Outcome{}, fmt.Errorf("%w: the worker has no job %s", errOther, name)
}

// sumMemory adds up the memory of the sites and of the platform.
func (s *sites) sumMemory(ctx context.Context, there []api.Site, c *crowd) error {
	for _, site := range there {
		kib, err := s.proportional(ctx, site.ID)
		if err != nil {
			return err
		}
		c.running++
		c.memory += kib
	}
	for _, role := range roles {
		mib, err := s.proportional(ctx, role)
		if err != nil {
			return err
		}
		c.platform[role] = mib
	}
	return nil
}

// proportional is the memory of a container's processes, MiB.
func (s *sites) proportional(ctx context.Context, role string) (float64, error) {
	pid, err := s.PID(ctx, role)
	if err != nil {
		return 0, err
	}
	kib, err := proportional(pid)
	return float64(kib) / kibPerMiB, err
}

// available is the memory that the kernel says programs could still get, MiB.
func available() (float64, error) {
	kib, err := testbed.KiB("meminfo", "MemAvailable")
	return float64(kib) / kibPerMiB, err
}
