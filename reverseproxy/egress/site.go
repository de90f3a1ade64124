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

// site is one site's way out. Its list is exchanged whole, so a connection sees
// one list or the other; tunnels that are open stay open.
type site struct {
	*gateway
	id      string
	log     *slog.Logger
	list    atomic.Pointer[List]
	tunnels chan struct{}
	bucket  *bucket
	flow    *rate.Limiter // bytes
	// questions bounds what the site's resolver asks; hush, log lines about limits.
	questions, hush *bucket

	ctx   context.Context
	stop  context.CancelFunc
	wait  sync.WaitGroup
	gates []*gate
}

// gate is one socket of a site.
type gate struct {
	path   string
	serve  func(context.Context, net.Listener)
	socket *socket // nil while closed
	fault  string  // said last
}

func newSite(ctx context.Context, g *gateway, list List) *site {
	s := &site{
		gateway: g, id: list.Site, log: g.log.With("site", list.Site),
		tunnels: make(chan struct{}, g.MaxTunnels),
		bucket:  newBucket(g.Rate, g.Burst, g.Now), questions: newBucket(4*g.Rate, 4*g.Burst, g.Now),
		hush: newBucket(0.1, 1, g.Now), flow: g.flow(),
	}
	s.list.Store(&list)
	s.ctx, s.stop = context.WithCancel(ctx)
	dir := filepath.Join(g.RunDir, s.id, gateDir)
	s.gates = []*gate{
		{path: filepath.Join(dir, egressSocket), serve: s.serveEgress},
		{path: filepath.Join(dir, mailSocket), serve: s.serveMail},
	}
	return s
}

// ensureOpen opens the sockets that are not there (any more): the directory may
// come after the list, and may be made anew while we run.
func (s *site) ensureOpen() {
	for _, g := range s.gates {
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

func (s *site) open(g *gate) {
	opened, err := openSocket(g.path, s.list.Load().GID)
	if err != nil {
		if g.fault != err.Error() {
			s.log.Warn("opening socket, trying again", "error", err)
		}
		g.fault = err.Error()
		return
	}
	g.fault, g.socket = "", opened
	s.wait.Go(func() {
		recovery.Keep(s.ctx, s.log, "accepting connections of a site", func(ctx context.Context) { g.serve(ctx, opened.listener) })
	})
}

// close ends everything that the site has open, and waits for it.
func (s *site) close() {
	s.stop()
	for _, g := range s.gates {
		if g.socket != nil {
			g.socket.close()
		}
	}
	s.wait.Wait()
}

// note records what became of a request, in the log and in the spool.
func (s *site) note(r request, decision spool.Decision, cause error) {
	reason := ""
	if cause != nil {
		reason = reasonOf(cause)
		if !limited(cause) || s.hush.take() {
			s.log.Warn("way out "+string(decision), "name", r.name, "port", r.port, "reason", reason, "error", cause)
		}
	}
	s.spool.Add(s.key(r, decision, reason), 1, 0, 0)
}

func (s *site) key(r request, decision spool.Decision, reason string) spool.Key {
	return spool.Key{Site: s.id, Name: r.name, Port: int(r.port), Decision: decision, Reason: reason}
}

// pause keeps a failing listener (no more descriptors) from a busy loop.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(50 * time.Millisecond):
	}
}
