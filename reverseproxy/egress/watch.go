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

// fileVersion identifies one version of a list file.
type fileVersion struct {
	changed time.Time
	size    int64
	inode   uint64
}

// watch keeps the sites as the lists require until ctx ends. It reacts to
// notifications, and checks regularly for what they miss: a directory that appears
// later, a removed socket, a lost notification.
func (g *gateway) watch(ctx context.Context) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		g.log.Warn("watching lists: no notifications, polling only", "error", err)
		watcher = &fsnotify.Watcher{} // its channels never receive
	} else {
		defer func() { _ = watcher.Close() }()
	}
	tick := time.NewTicker(g.Rescan)
	defer tick.Stop()
	for {
		if err == nil && !slices.Contains(watcher.WatchList(), g.ListDir) {
			_ = watcher.Add(g.ListDir) // not there yet: the next round tries again
		}
		g.reconcile(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-watcher.Events:
		case <-watcher.Errors: // such as too many notifications: reconcile
		}
	}
}

// reconcile applies the lists and opens missing sockets.
func (g *gateway) reconcile(ctx context.Context) {
	files, err := os.ReadDir(g.ListDir)
	if err != nil {
		// An unreadable directory does not mean that sites may reach nothing.
		if !g.listsUnreadable {
			g.log.Error("reading lists, keeping what was read last", "dir", g.ListDir, "error", err)
		}
		g.listsUnreadable = true
	} else {
		g.listsUnreadable = false
		g.applyLists(ctx, files)
	}
	for _, s := range g.sites {
		s.ensureOpen()
	}
}

func (g *gateway) applyLists(ctx context.Context, files []fs.DirEntry) {
	present := map[string]bool{}
	for _, file := range files {
		id, ok := strings.CutSuffix(file.Name(), listSuffix)
		if !ok || !siteID.MatchString(id) {
			continue
		}
		present[id] = true
		g.refresh(ctx, id)
	}
	for id := range g.versions {
		if !present[id] {
			delete(g.versions, id)
		}
	}
	for id, s := range g.sites {
		if !present[id] {
			delete(g.sites, id)
			s.close()
			g.log.Info("egress closed", "site", id)
		}
	}
}

// refresh reads a list that changed. A list that cannot be used leaves the last
// good one in force.
func (g *gateway) refresh(ctx context.Context, id string) {
	path := filepath.Join(g.ListDir, id+listSuffix)
	now, err := versionOf(path)
	if err != nil || now == g.versions[id] {
		return
	}
	g.versions[id] = now
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
	g.log.Info("egress opened", "site", id, "names", len(list.Allow))
}

func versionOf(path string) (fileVersion, error) {
	info, err := os.Stat(path)
	if err != nil {
		return fileVersion{}, err
	}
	s := fileVersion{changed: info.ModTime(), size: info.Size()}
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
