package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"chatiere/cmd/internal/testbed"
	"chatiere/panel/api"
)

// lives leads sites through their lives beside each other: created, suspended, resumed, binned, restored, purged, and
// some operations cancelled on their way.
type lives struct {
	*harness
	over    atomic.Bool
	gate    sync.RWMutex // held for reading by each operation under way
	all     sync.WaitGroup
	mu      sync.Mutex
	wishes  map[string]int // by kind
	ends    map[string]int // by state
	asked   map[string]bool
	retries int // wishes that had to be sent again
}

func (r *harness) newLives() *lives {
	r.lives = &lives{harness: r, wishes: map[string]int{}, ends: map[string]int{}, asked: map[string]bool{}}
	return r.lives
}

func (l *lives) begin(ctx context.Context) {
	for n := range l.options.lives {
		random := rand.New(rand.NewPCG(l.seed, uint64(n+2)))
		l.all.Go(func() {
			for !l.over.Load() && ctx.Err() == nil {
				l.live(ctx, random)
			}
		})
	}
}

// end lets each site come to its end.
func (l *lives) end(context.Context) {
	l.over.Store(true)
	l.all.Wait()
}

// pause returns once no life has an operation under way; none begins another until resume.
func (l *lives) pause() { l.gate.Lock() }

func (l *lives) resume() { l.gate.Unlock() }

// choices of a life: what may follow on a state, the likelier twice.
var choices = map[string][]string{
	"ready":     {"suspend", "suspend", "delete"},
	"suspended": {"resume", "resume", "delete"},
	"binned":    {"restore", "purge"},
}

// lastActs lead to the end.
var lastActs = map[string]string{"ready": "delete", "suspended": "delete", "binned": "purge"}

// life is one site's.
func (l *lives) live(ctx context.Context, random *rand.Rand) {
	site, ok := l.createSite(ctx, random)
	for ok && ctx.Err() == nil {
		s, err := l.site(ctx, site)
		if err != nil {
			ok = !absent(err) && testbed.Sleep(ctx, 300*time.Millisecond)
			continue
		}
		options := choices[s.State]
		if len(options) == 0 { // purged, or never made
			return
		}
		act := options[random.IntN(len(options))]
		if l.over.Load() {
			act = lastActs[s.State]
		}
		ok = l.runOperation(ctx, random, "site."+act, api.Item(api.PathSites, site, act), nil) != ""
	}
}

func (l *lives) createSite(ctx context.Context, random *rand.Rand) (site string, ok bool) {
	name := word(random)
	wish := api.NewSite{Association: l.Summary.Association, Template: "wordpress", Name: "Essai " + name, Host: "soak-" + name}
	site = l.runOperation(ctx, random, "site.provision", api.PathSites, wish)
	return site, site != ""
}

func word(random *rand.Rand) string {
	var b [6]byte
	for i := range b {
		b[i] = byte(random.IntN(256))
	}
	return hex.EncodeToString(b[:])
}

// runOperation sends a wish until the panel has taken it, follows its operation to the end, and returns its site; "" when nothing
// more can be done with it.
func (l *lives) runOperation(ctx context.Context, random *rand.Rand, kind, path string, body any) string {
	l.gate.RLock()
	defer l.gate.RUnlock()
	op, err := l.request(ctx, path, body, word(random))
	if err != nil {
		if ctx.Err() == nil && !busy(err) {
			l.fail("%s %s: %v", kind, path, err)
			return ""
		}
		testbed.Sleep(ctx, time.Second) // the reconciler works on it: it is asked again
		return idOf(path)
	}
	l.mu.Lock()
	l.wishes[kind]++
	l.mu.Unlock()
	if kind != "site.purge" && random.IntN(4) == 0 && !l.over.Load() {
		l.cancel(ctx, op.ID, time.Duration(random.IntN(int(3*time.Second))))
	}
	end := l.follow(ctx, op.ID)
	l.mu.Lock()
	l.ends[end.State]++
	cancelled := l.asked[op.ID]
	l.mu.Unlock()
	switch {
	case end.State == "stuck":
		l.fail("operation %s (%s) needs a person: %s %s", op.ID, kind, end.Problem, end.Detail)
		return ""
	case end.State == "undone" && !cancelled:
		l.fail("operation %s (%s) was given up: %s %s", op.ID, kind, end.Problem, end.Detail)
	}
	return op.Site
}

// idOf returns the site in the path of an act.
func idOf(path string) string {
	var id, act string
	if n, _ := fmt.Sscanf(path, api.Prefix+api.PathSites+"/%10s/%s", &id, &act); n < 1 {
		return ""
	}
	return id
}

func absent(err error) bool {
	var told *api.Error
	return errors.As(err, &told) && told.Code == api.CodeNotFound
}

func busy(err error) bool {
	var told *api.Error
	return errors.As(err, &told) && (told.Code == api.CodeBusy || told.Code == api.CodeConflict)
}

// passing reports whether the same wish may be taken later.
func passing(err error) bool {
	var told *api.Error
	if !errors.As(err, &told) {
		return true // no panel, or cut short
	}
	return told.Code == api.CodeUnavailable || told.Code == api.CodeInternal || told.Code == api.CodeDiskFull
}

// request sends a wish under one key, so that sending it again after a kill makes nothing twice.
func (l *lives) request(ctx context.Context, path string, body any, key string) (op api.Operation, err error) {
	for ctx.Err() == nil {
		bounded, cancel := context.WithTimeout(ctx, 15*time.Second)
		err = l.Panel.Post(bounded, path, body, key, &op)
		cancel()
		if err == nil || !passing(err) {
			return op, err
		}
		l.mu.Lock()
		l.retries++
		l.mu.Unlock()
		testbed.Sleep(ctx, 250*time.Millisecond)
	}
	return op, ctx.Err()
}

// cancel asks for an operation's end after a while. That it comes too late is nobody's fault.
func (l *lives) cancel(ctx context.Context, id string, after time.Duration) {
	l.all.Go(func() {
		if !testbed.Sleep(ctx, after) {
			return
		}
		bounded, cancel := context.WithTimeout(ctx, 15*time.Second)
		defer cancel()
		l.mu.Lock()
		l.asked[id] = true // before it is: the answer may get lost
		l.mu.Unlock()
		_ = l.Panel.Post(bounded, api.Item(api.PathOperations, id, "cancel"), nil, "", nil)
	})
}

// follow returns an operation once it has ended or needs a person.
func (l *lives) follow(ctx context.Context, id string) (op api.Operation) {
	for ctx.Err() == nil {
		bounded, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := l.Panel.Get(bounded, api.Item(api.PathOperations, id), &op)
		cancel()
		if err == nil && op.Ended() {
			return op
		}
		testbed.Sleep(ctx, 200*time.Millisecond)
	}
	return op
}

func (r *harness) site(ctx context.Context, id string) (s api.Site, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return s, r.Panel.Get(ctx, api.Item(api.PathSites, id), &s)
}
