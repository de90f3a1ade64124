package upkeep

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"chatiere/tenants"
)

const (
	// PulseEvery is how often Pulse should be called: each call takes its share of the sites.
	PulseEvery = 5 * time.Second
	// pulseAge is how old a ready site's last pulse may be, so that within 30 s it is known who has fallen silent.
	pulseAge = 15 * time.Second
	// pulseTime bounds one question: a web server that works answers this one in a millisecond.
	pulseTime = 4 * time.Second
	// pulsePath is answered by every image of the catalogue without its application (templates/catalog/README.md).
	pulsePath = "/__health"
)

type pulse struct {
	at     time.Time
	silent time.Time // since when nothing has answered; zero: it answers
}

// Pulse asks ready sites whether their web server answers at all. That wakes no application, so it can be asked often, and
// takes a hundredth of what the engine's own health check would: that starts a process in each container. Who is silent is
// noted as down; who answers again becomes a suspect, whose next probe tells whether all is well.
func (u *Upkeep) Pulse(ctx context.Context) error {
	sites, err := u.Records.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("listing live sites: %w", err)
	}
	sites = only(sites, func(s tenants.Site) bool { return s.State == tenants.StateReady })
	return u.all(ctx, u.duePulses(sites), u.take)
}

// duePulses forgets who is not there any more, and returns whose turn it is: each site has its own instant in pulseAge.
func (u *Upkeep) duePulses(ready []tenants.Site) (due []tenants.Site) {
	u.mu.Lock()
	defer u.mu.Unlock()
	known, now := u.pulses, u.Now()
	u.pulses = make(map[string]pulse, len(ready))
	for _, s := range ready {
		last, seen := known[s.ID]
		if seen {
			u.pulses[s.ID] = last
		}
		if !seen || turn(now, s.ID, pulseAge) != turn(last.at, s.ID, pulseAge) {
			due = append(due, s)
		}
	}
	return due
}

func (u *Upkeep) take(ctx context.Context, s tenants.Site) error {
	asking, cancel := context.WithTimeout(ctx, pulseTime)
	defer cancel()
	err := u.Private.Check(asking, s, tenants.Page{Path: pulsePath, Status: http.StatusOK})
	if ctx.Err() != nil { // cut short by our own end: that says nothing of the site
		return ctx.Err()
	}
	now := pulse{at: u.Now()}
	u.mu.Lock()
	last := u.pulses[s.ID]
	if err != nil {
		now.silent = last.silent
		if now.silent.IsZero() {
			now.silent = now.at
		}
	}
	u.pulses[s.ID] = now
	if err == nil && !last.silent.IsZero() {
		u.suspect(s.ID) // whether it is well again, its next probe tells
	}
	u.mu.Unlock()
	if err == nil {
		return nil
	}
	if last.silent.IsZero() {
		u.Log.WarnContext(ctx, "a site's container does not answer", "site", s.ID, "host", s.Host, "error", err)
	}
	return u.Records.SaveProbe(ctx, s.ID, tenants.Probe{At: now.at.UTC(), Health: tenants.HealthDown, Detail: err.Error()})
}

// Silent tells since when a ready site's container has not answered; zero: it answers, or was not asked yet.
func (u *Upkeep) Silent(siteID string) time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.pulses[siteID].silent
}
