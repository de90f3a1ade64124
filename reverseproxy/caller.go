package reverseproxy

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"chatiere/reverseproxy/edge"
	"chatiere/reverseproxy/egress/spool"
	"chatiere/reverseproxy/origin"
	"chatiere/reverseproxy/pages"
)

// tableHeader tells our own roles by which version of the route table they are served, so that the worker can wait for one.
const tableHeader = "X-Chatiere-Table"

// checkCaller refuses requests that a caller on a socket may not send. An attempt of a site is recorded with the host it
// asked for.
func checkCaller(p *pages.Pages, table indexer, attempts *attemptLog, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := edge.CallerOf(r)
		if caller != nil && caller.Origin == nil {
			w.Header().Set(tableHeader, strconv.FormatInt(table.Index().Version(), 10))
		}
		if caller == nil || caller.Allows(r) {
			next.ServeHTTP(w, r)
			return
		}
		attempts.record(caller, r.Host)
		w.Header().Set("Connection", "close")
		p.ServeStatus(w, r, pages.UnknownHost, http.StatusMisdirectedRequest, "")
	})
}

// attemptLog records refused requests of sites to hosts other than their own.
type attemptLog struct {
	spool *spool.Spool // nil: log only
	log   *slog.Logger
}

// openAttempts opens a spool in dir; with an empty dir, attempts are only logged.
func openAttempts(dir string, clock func() time.Time, log *slog.Logger) (*attemptLog, error) {
	a := &attemptLog{log: log}
	if dir == "" {
		return a, nil
	}
	var err error
	a.spool, err = spool.New(dir, clock, log)
	return a, err
}

func (a *attemptLog) record(caller *edge.Caller, host string) {
	if caller.Origin == nil {
		a.log.Warn("request of a caller refused", "peer", caller.Peer, "host", cut(host, 253))
		return
	}
	if a.spool != nil {
		a.spool.Add(spool.Key{
			Site: caller.Origin.Site, Name: caller.Origin.Name(host), Port: caller.Origin.Port, Decision: spool.Refused,
			Reason: origin.ErrElsewhere.Error(),
		}, 1, 0, 0)
	}
}

// attemptsInterval is how often attempts are written to the spool.
const attemptsInterval = 10 * time.Second

// run flushes the spool until ctx ends.
func (a *attemptLog) run(ctx context.Context) {
	if a.spool == nil {
		return
	}
	tick := time.NewTicker(attemptsInterval)
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
