package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"chatiere/cmd/siteinit/internal/forward"
	"chatiere/cmd/siteinit/internal/htaccess"
	"chatiere/cmd/siteinit/internal/scgi"
)

const (
	// maxAccess is as many as nginx has connections.
	maxAccess  = 512
	accessTime = 10 * time.Second
)

// The answers. net/http has names for them, and would cost a megabyte in each site.
const (
	served = 204
	denied = 403
	told   = 200
)

// access answers nginx, before each file of the site's own data, whether an .htaccess lets it out (204 or 403), and the
// worker, which of these files cannot be followed in full (200).
type access struct {
	log   *slog.Logger
	notes notes
}

// openAccess listens until ctx ends. Without a socket in the configuration there is nothing to listen on.
func openAccess(ctx context.Context, socket string, log *slog.Logger, wait *sync.WaitGroup) error {
	if socket == "" {
		return nil
	}
	listener, err := forward.ListenMode(ctx, forward.Address{Network: "unix", Address: socket}, 0o600) // nginx has our uid
	if err != nil {
		return err
	}
	a := &access{log: log}
	wait.Go(func() { forward.Serve(ctx, listener, maxAccess, a.handle, log) })
	return nil
}

func (a *access) handle(_ context.Context, conn net.Conn) {
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(accessTime)); err != nil {
		return
	}
	params, err := scgi.Read(conn)
	if err != nil {
		a.log.Warn("reading a question of nginx", "error", err)
		return
	}
	status, kind, body := served, "", []byte(nil)
	if params["FILE"] == "" {
		status, kind, body = told, "application/json", a.notes.list(params["ROOT"])
	} else if a.denies(params) {
		status = denied
	}
	_ = scgi.Answer(conn, status, kind, body) // an asker who is gone needs no answer
}

func (a *access) denies(params map[string]string) bool {
	client, _ := netip.ParseAddr(params["CLIENT"]) // one that is unknown is no one's neighbour
	d := htaccess.Check(htaccess.Request{
		Root: params["ROOT"], File: params["FILE"], URL: params["URL"], Method: params["METHOD"], Client: client,
	})
	a.notes.update(d)
	return d.Denied
}

// notes are the files that could not be followed in full when they were last consulted.
type notes struct {
	mu    sync.Mutex
	files map[string]string // the directive, by file
}

// maxNotes bounds what a site can have us keep.
const maxNotes = 32

func (n *notes) update(d htaccess.Decision) {
	if len(d.Read) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, file := range d.Read {
		delete(n.files, file)
	}
	for _, note := range d.Notes {
		if n.files == nil {
			n.files = map[string]string{}
		}
		if len(n.files) < maxNotes {
			n.files[note.File] = note.Directive
		}
	}
}

// list is what docs/formats.md describes. Files that are gone are left out.
func (n *notes) list(root string) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	for file := range n.files {
		if !htaccess.Exists(root, file) {
			delete(n.files, file)
		}
	}
	text, err := json.Marshal(n.files)
	if err != nil || n.files == nil {
		return []byte("{}")
	}
	return text
}
