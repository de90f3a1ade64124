package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"chatiere/reverseproxy/unixsocket"
	"chatiere/tenants/audit"
	"chatiere/tenants/recovery"
)

// Control is where the worker answers the panel and root.
type Control struct {
	PanelSocket string
	PanelUID    uint32
	RootSocket  string
	// Examine returns the doctor's diagnosis, to be sent as JSON.
	Examine func(ctx context.Context) (any, error)
}

// socket is one of the worker's sockets: the allowed user and the handlers.
type socket struct {
	path  string
	uid   uint32
	calls *http.ServeMux
}

// sockets are a socket for the panel and one for root.
func (w *Worker) sockets() []socket {
	panel := http.NewServeMux()
	panel.HandleFunc("POST /nudge", func(rw http.ResponseWriter, _ *http.Request) {
		w.Sites.Runner.Nudge()
		rw.WriteHeader(http.StatusNoContent)
	})
	panel.HandleFunc("POST /lists", func(rw http.ResponseWriter, _ *http.Request) {
		w.listsChanged()
		rw.WriteHeader(http.StatusNoContent)
	})
	panel.HandleFunc("POST /sign-out", w.signOut)
	panel.HandleFunc("GET /doctor", w.examine)
	panel.HandleFunc("GET /parts", func(rw http.ResponseWriter, _ *http.Request) { w.writeJSON(rw, w.Jobs.Monitor.States()) })

	root := http.NewServeMux()
	root.HandleFunc("GET /health", func(rw http.ResponseWriter, _ *http.Request) {
		if !w.ready.Load() {
			http.Error(rw, "not at work yet", http.StatusServiceUnavailable)
		}
	})
	root.HandleFunc("GET /doctor", w.examine)
	root.HandleFunc("GET /jobs", func(rw http.ResponseWriter, _ *http.Request) { w.writeJSON(rw, w.board.Outcomes()) })
	root.HandleFunc("POST /audit/verify", w.verifyAudit)
	return []socket{{w.Control.PanelSocket, w.Control.PanelUID, panel}, {w.Control.RootSocket, 0, root}}
}

func (w *Worker) writeJSON(rw http.ResponseWriter, v any) {
	rw.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(rw).Encode(v); err != nil {
		w.Log.Debug("answering on a socket of the worker failed", "error", err) // the caller has gone
	}
}

// examine serves a request for a diagnosis.
func (w *Worker) examine(rw http.ResponseWriter, r *http.Request) {
	found, err := w.Control.Examine(r.Context())
	if err != nil {
		return // the caller has gone
	}
	w.writeJSON(rw, found)
}

// signOut ends a person's sessions in the realm. The panel can do nothing else in the realm.
func (w *Worker) signOut(rw http.ResponseWriter, r *http.Request) {
	subject := r.PostFormValue("subject")
	if w.Realm == nil || subject == "" {
		http.Error(rw, "no account on the realm, or nobody named", http.StatusNotImplemented)
		return
	}
	if err := w.Realm.SignOut(r.Context(), subject); err != nil {
		w.Log.Warn("a person's sessions in the realm not ended", "subject", subject, "error", err)
		http.Error(rw, "the realm refused or is away", http.StatusBadGateway)
		return
	}
	rw.WriteHeader(http.StatusNoContent)
}

// maxCheckpoints bounds a file of checkpoints in a request: a line a day for some centuries.
const maxCheckpoints = 16 << 20

// verifyAudit serves root's request to verify the audit log. It is served on root's own socket: the panel is exposed to the
// internet and must not be the one to vouch for the log.
func (w *Worker) verifyAudit(rw http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxCheckpoints))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	others, err := audit.ParseCheckpoints(text)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	report, err := w.Jobs.Audit.VerifyNow(r.Context(), others)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.writeJSON(rw, report)
}

// openSocket is a socket with its listener.
type openSocket struct {
	socket
	net.Listener
}

// openSockets opens all sockets, or none.
func (w *Worker) openSockets() (open []openSocket, err error) {
	defer func() {
		if err == nil {
			return
		}
		for _, s := range open {
			err = errors.Join(err, s.Close())
		}
	}()
	for _, s := range w.sockets() {
		l, err := s.listen(w.Log)
		if err != nil {
			return open, err
		}
		open = append(open, openSocket{s, l})
	}
	return open, nil
}

// listen opens the socket. Its group comes from the directory (setgid).
func (s socket) listen(log *slog.Logger) (net.Listener, error) {
	l, err := unixsocket.Listen(s.path, func(name string) error { return os.Chmod(name, 0o660) })
	if err != nil {
		return nil, fmt.Errorf("listening on the worker's socket: %w", err)
	}
	return peerListener{l, s.uid, log.With("socket", s.path)}, nil
}

// serve serves on all sockets until ctx ends.
func (w *Worker) serve(ctx context.Context, sockets []openSocket) {
	var wait sync.WaitGroup
	defer wait.Wait()
	for _, s := range sockets {
		srv := &http.Server{Handler: s.calls, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
		stop := context.AfterFunc(ctx, func() { _ = srv.Close() }) // a nudge lost at the end is found by the next worker
		wait.Go(func() {
			defer stop()
			defer recovery.Log(w.Log, "serving a socket of the worker")
			if err := srv.Serve(s.Listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
				w.Log.Error("a socket of the worker broke; operations now wait for the next poll", "socket", s.path, "error", err)
			}
		})
	}
}

// peerListener accepts connections of one user only, whoever else can open the socket.
type peerListener struct {
	net.Listener
	uid uint32
	log *slog.Logger
}

// Accept waits for the next connection of that user.
func (l peerListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, err := peerOf(conn)
		if err == nil && uid == l.uid {
			return conn, nil
		}
		l.log.Warn("caller refused", "uid", uid, "error", err)
		_ = conn.Close() // nothing was said on it
	}
}

// errNoPeer is a connection that is not a unix socket.
var errNoPeer = errors.New("no unix socket")

// peerOf returns the user at the other end of a unix socket, from the kernel.
func peerOf(conn net.Conn) (uint32, error) {
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, errNoPeer
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) { cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return 0, err
	}
	if failed != nil {
		return 0, failed
	}
	return cred.Uid, nil
}
