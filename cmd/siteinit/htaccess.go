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
	// maxHtaccessConns is as many as nginx has connections.
	maxHtaccessConns = 512
	htaccessTimeout  = 10 * time.Second
)

// The status codes. net/http has names for them, but would cost a megabyte in each site.
const (
	statusAllowed = 204
	statusDenied  = 403
	statusReport  = 200
)

// htaccessServer tells nginx for each file of the site's own data whether an .htaccess allows it (204 or 403), and the
// worker which of these files it cannot apply completely (200).
type htaccessServer struct {
	log   *slog.Logger
	notes unsupportedRules
}

// openHtaccess serves on the socket until ctx ends, if there is one in the configuration.
func openHtaccess(ctx context.Context, socket string, log *slog.Logger, wait *sync.WaitGroup) error {
	if socket == "" {
		return nil
	}
	listener, err := forward.ListenMode(ctx, forward.Address{Network: "unix", Address: socket}, 0o600) // nginx has our uid
	if err != nil {
		return err
	}
	a := &htaccessServer{log: log}
	wait.Go(func() { forward.Serve(ctx, listener, maxHtaccessConns, a.handle, log) })
	return nil
}

func (a *htaccessServer) handle(_ context.Context, conn net.Conn) {
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(htaccessTimeout)); err != nil {
		return
	}
	params, err := scgi.Read(conn)
	if err != nil {
		a.log.Warn("reading a question of nginx", "error", err)
		return
	}
	status, kind, body := statusAllowed, "", []byte(nil)
	if params["FILE"] == "" {
		status, kind, body = statusReport, "application/json", a.notes.list(params["ROOT"])
	} else if a.denies(params) {
		status = statusDenied
	}
	_ = scgi.Answer(conn, status, kind, body) // an asker who is gone needs no answer
}

func (a *htaccessServer) denies(params map[string]string) bool {
	client, _ := netip.ParseAddr(params["CLIENT"]) // one that is unknown is no one's neighbour
	d := htaccess.Check(htaccess.Request{
		Root: params["ROOT"], File: params["FILE"], URL: params["URL"], Method: params["METHOD"], Client: client,
	})
	a.notes.update(d)
	return d.Denied
}

// unsupportedRules are the files that could not be applied completely at their last use.
type unsupportedRules struct {
	mu    sync.Mutex
	files map[string]string // the directive, by file
}

// maxUnsupported bounds the memory that a site can use.
const maxUnsupported = 32

func (n *unsupportedRules) update(d htaccess.Decision) {
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
		if len(n.files) < maxUnsupported {
			n.files[note.File] = note.Directive
		}
	}
}

// list is what docs/formats.md describes. Files that are gone are left out.
func (n *unsupportedRules) list(root string) []byte {
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
