package egress

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// stamp tells one version of a list file from another.
type stamp struct {
	changed time.Time
	size    int64
	inode   uint64
}

// watch keeps the sites as the lists say until ctx ends. Notices make it fast;
// the regular look makes it right (a directory that appears later, a socket
// that somebody removed, a notice that was lost).
func (g *gateway) watch(ctx context.Context) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		g.log.Warn("watching lists: no notices, looking regularly", "error", err)
		watcher = &fsnotify.Watcher{} // its channels never speak
	} else {
		defer func() { _ = watcher.Close() }()
	}
	tick := time.NewTicker(g.Rescan)
	defer tick.Stop()
	for {
		if err == nil && !slices.Contains(watcher.WatchList(), g.ListDir) {
			_ = watcher.Add(g.ListDir) // not there yet: the next look tries again
		}
		g.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-watcher.Events:
		case <-watcher.Errors: // such as too many notices: look
		}
	}
}

// look compares the directory with the sites and the sites with their sockets.
func (g *gateway) look(ctx context.Context) {
	files, err := os.ReadDir(g.ListDir)
	if err != nil {
		// A directory that is away says nothing about what sites may reach.
		if !g.blind {
			g.log.Error("reading lists, keeping what was read last", "dir", g.ListDir, "error", err)
		}
		g.blind = true
	} else {
		g.blind = false
		g.follow(ctx, files)
	}
	for _, s := range g.sites {
		s.ensureOpen()
	}
}

func (g *gateway) follow(ctx context.Context, files []fs.DirEntry) {
	present := map[string]bool{}
	for _, file := range files {
		id, ok := strings.CutSuffix(file.Name(), listSuffix)
		if !ok || !siteID.MatchString(id) {
			continue
		}
		present[id] = true
		g.refresh(ctx, id)
	}
	for id := range g.seen {
		if !present[id] {
			delete(g.seen, id)
		}
	}
	for id, s := range g.sites {
		if !present[id] {
			delete(g.sites, id)
			s.close()
			g.log.Info("way out closed", "site", id)
		}
	}
}

// refresh reads a list that changed. A list that cannot be used leaves the last
// good one in force.
func (g *gateway) refresh(ctx context.Context, id string) {
	path := filepath.Join(g.ListDir, id+listSuffix)
	now, err := stampOf(path)
	if err != nil || now == g.seen[id] {
		return
	}
	g.seen[id] = now
	list, err := ReadList(path)
	if err != nil {
		g.log.Error("reading list, keeping the last good one", "site", id, "error", err)
		return
	}
	if s, known := g.sites[id]; known {
		s.list.Store(&list)
		g.log.Info("list changed", "site", id, "names", len(list.Allow))
		return
	}
	g.sites[id] = newSite(ctx, g, list)
	g.log.Info("way out opened", "site", id, "names", len(list.Allow))
}

func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, err
	}
	s := stamp{changed: info.ModTime(), size: info.Size()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode = sys.Ino
	}
	return s, nil
}

func (g *gateway) closeAll() {
	for _, s := range g.sites {
		s.close()
	}
}
