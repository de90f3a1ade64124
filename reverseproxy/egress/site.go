package egress

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"chatiere/reverseproxy/egress/spool"
	"chatiere/reverseproxy/recovery"
)

// Names of the sockets in a site's gate directory.
const (
	gateDir      = "gate"
	egressSocket = "egress.sock"
	mailSocket   = "smtp.sock"
)

// site is the egress of one site. Its list is replaced atomically, so a connection
// sees one list or the other; open tunnels stay open.
type site struct {
	*gateway
	id        string
	log       *slog.Logger
	list      atomic.Pointer[List]
	tunnels   chan struct{}
	attempts  *rate.Limiter
	bandwidth *rate.Limiter // bytes
	// queries limits the requests of the site's resolver; logLimiter, log lines about limits.
	queries, logLimiter *rate.Limiter

	ctx     context.Context
	stop    context.CancelFunc
	wait    sync.WaitGroup
	dir     string        // of the sockets
	sockets []*siteSocket // of the release that visitors reach; none before the first round
}

// siteSocket is one socket of a site.
type siteSocket struct {
	path      string
	serve     func(context.Context, net.Listener)
	socket    *socket // nil while closed
	lastFault string  // last logged
}

func newSite(ctx context.Context, g *gateway, list List) *site {
	s := &site{
		gateway: g, id: list.Site, log: g.log.With("site", list.Site),
		tunnels:  make(chan struct{}, g.MaxTunnels),
		attempts: rate.NewLimiter(rate.Limit(g.Rate), g.Burst), queries: rate.NewLimiter(rate.Limit(4*g.Rate), 4*g.Burst),
		logLimiter: rate.NewLimiter(0.1, 1), bandwidth: g.bandwidth(),
	}
	s.list.Store(&list)
	s.ctx, s.stop = context.WithCancel(ctx)
	return s
}

// socketDir is the directory of the sockets of a site's release.
func socketDir(runDir string, l List) string {
	return filepath.Join(runDir, l.Site, l.Release, gateDir)
}

// followRelease closes the sockets of a release that visitors no longer reach, and names those of the one they do. Open
// tunnels stay open.
func (s *site) followRelease() {
	dir := socketDir(s.RunDir, *s.list.Load())
	if dir == s.dir {
		return
	}
	s.closeSockets()
	s.dir = dir
	s.sockets = []*siteSocket{
		{path: filepath.Join(dir, egressSocket), serve: s.serveEgress},
		{path: filepath.Join(dir, mailSocket), serve: s.serveMail},
	}
}

// ensureOpen opens the sockets that are missing: the directory may come after the
// list, and may be replaced at any time.
func (s *site) ensureOpen() {
	s.followRelease()
	for _, g := range s.sockets {
		if g.socket != nil && g.socket.inPlace() {
			continue
		}
		if g.socket != nil {
			g.socket.close()
			g.socket = nil
		}
		s.open(g)
	}
}

func (s *site) open(g *siteSocket) {
	opened, err := openSocket(g.path, s.list.Load().GID)
	if err != nil {
		if g.lastFault != err.Error() {
			s.log.Warn("opening socket, trying again", "error", err)
		}
		g.lastFault = err.Error()
		return
	}
	g.lastFault, g.socket = "", opened
	s.wait.Go(func() {
		recovery.Keep(s.ctx, s.log, "accepting connections of a site", func(ctx context.Context) { g.serve(ctx, opened.listener) })
	})
}

// close closes everything that the site has open, and waits for it.
func (s *site) close() {
	s.stop()
	s.closeSockets()
	s.wait.Wait()
}

func (s *site) closeSockets() {
	for _, g := range s.sockets {
		if g.socket != nil {
			g.socket.close()
			g.socket = nil
		}
	}
}

// record writes the outcome of a request to the log and the spool.
func (s *site) record(r request, decision spool.Decision, cause error) {
	reason := ""
	if cause != nil {
		reason = reasonOf(cause)
		if !isLimit(cause) || s.logLimiter.AllowN(s.Now(), 1) {
			s.log.Warn("egress "+string(decision), "name", r.name, "port", r.port, "reason", reason, "error", cause)
		}
	}
	s.spool.Add(s.key(r, decision, reason), 1, 0, 0)
}

func (s *site) key(r request, decision spool.Decision, reason string) spool.Key {
	return spool.Key{Site: s.id, Name: r.name, Port: int(r.port), Decision: decision, Reason: reason}
}

// acceptPause prevents a busy loop of a failing listener (no more descriptors).
func acceptPause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(50 * time.Millisecond):
	}
}
