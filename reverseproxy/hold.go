package reverseproxy

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"chatiere/reverseproxy/edge"
	"chatiere/reverseproxy/egress/spool"
	"chatiere/reverseproxy/origin"
	"chatiere/reverseproxy/pages"
)

// hold refuses what comes by a neighbour's door and is not what the door leads to. A site that tries is noted, with the
// name it asked for.
func hold(p *pages.Pages, attempts *attempts, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := edge.CallerOf(r)
		if caller == nil || caller.Allows(r) {
			next.ServeHTTP(w, r)
			return
		}
		attempts.note(caller, r.Host)
		w.Header().Set("Connection", "close")
		p.ServeStatus(w, r, pages.UnknownHost, http.StatusMisdirectedRequest, "")
	})
}

// attempts are what sites tried to reach by the way to their own host.
type attempts struct {
	spool *spool.Spool // nil: logged alone
	log   *slog.Logger
}

// openAttempts opens a spool in dir; empty logs alone.
func openAttempts(dir string, clock func() time.Time, log *slog.Logger) (*attempts, error) {
	a := &attempts{log: log}
	if dir == "" {
		return a, nil
	}
	var err error
	a.spool, err = spool.New(dir, clock, log)
	return a, err
}

func (a *attempts) note(caller *edge.Caller, host string) {
	if caller.Origin == nil {
		a.log.Warn("request refused at a door", "peer", caller.Peer, "host", cut(host, 253))
		return
	}
	if a.spool != nil {
		a.spool.Add(spool.Key{
			Site: caller.Origin.Site, Name: caller.Origin.Name(host), Port: caller.Origin.Port, Decision: spool.Refused,
			Reason: origin.ErrElsewhere.Error(),
		}, 1, 0, 0)
	}
}

// attemptsEvery is how often attempts are written.
const attemptsEvery = 10 * time.Second

// run writes what was noted, until ctx ends.
func (a *attempts) run(ctx context.Context) {
	if a.spool == nil {
		return
	}
	tick := time.NewTicker(attemptsEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		if err := a.spool.Flush(); err != nil {
			a.log.Error("writing attempts of sites", "error", err)
		}
	}
}
