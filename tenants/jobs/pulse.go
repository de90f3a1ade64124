package jobs

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"chatiere/tenants"
)

const (
	// PulseInterval is how often Pulse should be called: each call checks a share of the sites.
	PulseInterval = 5 * time.Second
	// pulseAge is how old a ready site's last pulse may be, so that a silent site is known within 30 s.
	pulseAge = 15 * time.Second
	// pulseTimeout bounds one request: a working web server answers it in a millisecond.
	pulseTimeout = 4 * time.Second
	// pulsePath is answered by every image of the catalogue without its application (templates/catalog/README.md).
	pulsePath = "/__health"
)

type pulse struct {
	at          time.Time
	silentSince time.Time // since when it has not answered; zero: it answers
}

// Pulse checks whether the web servers of ready sites answer at all. It does not wake the application, so it can run often,
// and costs a hundredth of the engine's own health check, which starts a process in each container. A silent site is
// recorded as down; one that answers again becomes a suspect, which the next probe checks. What is not an image of ours has
// no such address.
func (u *Jobs) Pulse(ctx context.Context) error {
	sites, err := u.Records.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("listing live sites: %w", err)
	}
	sites = filter(sites, func(s tenants.Site) bool { return s.State == tenants.StateReady && !s.Release.Front().Foreign })
	return u.forSites(ctx, u.duePulses(sites), u.probePulse)
}

// duePulses removes sites that no longer exist and returns those that are due: each site has its own offset in pulseAge.
func (u *Jobs) duePulses(ready []tenants.Site) (due []tenants.Site) {
	u.mu.Lock()
	defer u.mu.Unlock()
	known, now := u.pulses, u.Now()
	u.pulses = make(map[string]pulse, len(ready))
	for _, s := range ready {
		last, seen := known[s.ID]
		if seen {
			u.pulses[s.ID] = last
		}
		if !seen || period(now, s.ID, pulseAge) != period(last.at, s.ID, pulseAge) {
			due = append(due, s)
		}
	}
	return due
}

func (u *Jobs) probePulse(ctx context.Context, s tenants.Site) error {
	asking, cancel := context.WithTimeout(ctx, pulseTimeout)
	defer cancel()
	err := u.Private.Check(asking, s, tenants.Page{Path: pulsePath, Status: http.StatusOK})
	if ctx.Err() != nil { // interrupted by our own shutdown: no result
		return ctx.Err()
	}
	now := pulse{at: u.Now()}
	u.mu.Lock()
	last := u.pulses[s.ID]
	if err != nil {
		now.silentSince = last.silentSince
		if now.silentSince.IsZero() {
			now.silentSince = now.at
		}
	}
	u.pulses[s.ID] = now
	if err == nil && !last.silentSince.IsZero() {
		u.suspect(s.ID) // the next probe checks whether it works again
	}
	u.mu.Unlock()
	if err == nil {
		return nil
	}
	if last.silentSince.IsZero() {
		u.Log.WarnContext(ctx, "a site's container does not answer", "site", s.ID, "host", s.Host, "error", err)
	}
	return u.Records.SaveProbe(ctx, s.ID, tenants.Probe{At: now.at.UTC(), Health: tenants.HealthDown, Detail: err.Error()})
}

// SilentSince returns since when a ready site's container has not answered; zero: it answers, or was not checked yet.
func (u *Jobs) SilentSince(siteID string) time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.pulses[siteID].silentSince
}
