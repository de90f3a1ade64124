package forward

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// sitesPoll is how soon a new site's directory gets its socket.
const sitesPoll = 200 * time.Millisecond

var siteDir = regexp.MustCompile(`^s[0-9a-z]{9}$`)

// Sites gives each site a listener of its own: a socket in every directory below Dir that is named like a site. Sites
// share no queue then: the kernel refuses connections to a socket whose queue is full, so on a common one a single site
// could have everybody's refused.
type Sites struct {
	Dir    string // each site's container has its own directory below mounted, and no other
	Name   string // of the sockets
	Limit  int    // connections of one site at a time; the others wait in its queue
	Handle func(site string) Handler
	Log    *slog.Logger

	open map[string]siteListener
	wait sync.WaitGroup
}

type siteListener struct {
	dir  fs.FileInfo // the directory that it lies in: one of the same name may have taken its place
	stop context.CancelFunc
}

// Run opens and closes listeners as directories come and go, until ctx ends and all connections are closed.
func (s *Sites) Run(ctx context.Context) {
	s.open = map[string]siteListener{}
	defer s.wait.Wait()
	tick := time.NewTicker(sitesPoll)
	defer tick.Stop()
	for {
		s.update(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Sites) update(ctx context.Context) {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		s.Log.Warn("looking for sites", "error", err)
		return
	}
	found := map[string]bool{}
	for _, e := range entries {
		if !e.IsDir() || !siteDir.MatchString(e.Name()) {
			continue
		}
		found[e.Name()] = true
		info, err := os.Lstat(filepath.Join(s.Dir, e.Name()))
		if err != nil {
			continue // gone meanwhile
		}
		if l, ok := s.open[e.Name()]; !ok || !os.SameFile(l.dir, info) {
			s.close(e.Name())
			s.listen(ctx, e.Name(), info)
		}
	}
	for name := range s.open {
		if !found[name] {
			s.close(name)
		}
	}
}

func (s *Sites) close(name string) {
	if l, ok := s.open[name]; ok {
		l.stop()
		delete(s.open, name)
	}
}

func (s *Sites) listen(ctx context.Context, name string, dir fs.FileInfo) {
	listener, err := ListenMode(ctx, Address{"unix", filepath.Join(s.Dir, name, s.Name)}, 0o666)
	if errors.Is(err, fs.ErrPermission) {
		return // made, and not yet given to us
	}
	if err != nil {
		s.Log.Warn("listening for a site", "site", name, "error", err)
		return
	}
	if unix, ok := listener.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false) // its successor's may have the name by then
	}
	serving, stop := context.WithCancel(ctx)
	s.open[name] = siteListener{dir, stop}
	s.wait.Go(func() { serveQueued(serving, listener, s.Limit, s.Handle(name), s.Log.With("site", name)) })
}

// serveQueued is Serve for a listener of one client: what is beyond its limit waits in the kernel's queue, where it costs
// nobody anything.
func serveQueued(ctx context.Context, listener net.Listener, limit int, handle Handler, log *slog.Logger) {
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	var wait sync.WaitGroup
	defer wait.Wait()
	places := make(chan struct{}, limit)
	for {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		conn, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			log.Warn("accepting connection", "error", err)
			<-places
			acceptPause(ctx)
			continue
		}
		wait.Go(func() {
			defer func() { <-places }()
			defer context.AfterFunc(ctx, func() { Reset(conn) })()
			handle(ctx, conn)
		})
	}
}
