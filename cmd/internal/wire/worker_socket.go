package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"chatiere/cmd/internal/config"
	"chatiere/reverseproxy/unixsocket"
	"chatiere/tenants/recovery"
)

// controlSocket is one of the worker's sockets: the allowed user and the handlers.
type controlSocket struct {
	path  string
	uid   uint32
	calls *http.ServeMux
}

// controlSockets are a socket for the panel and one for root.
func (w *Worker) controlSockets() []controlSocket {
	p := w.config.Paths()
	panel := http.NewServeMux()
	panel.HandleFunc("POST /nudge", func(rw http.ResponseWriter, _ *http.Request) {
		w.runner.Nudge()
		rw.WriteHeader(http.StatusNoContent)
	})
	panel.HandleFunc("POST /lists", func(rw http.ResponseWriter, _ *http.Request) {
		w.listsChanged()
		rw.WriteHeader(http.StatusNoContent)
	})
	panel.HandleFunc("POST /sign-out", w.signOut)
	panel.HandleFunc("GET /doctor", w.examine)
	panel.HandleFunc("GET /parts", w.serveContainers)

	root := http.NewServeMux()
	root.HandleFunc("GET /health", func(rw http.ResponseWriter, _ *http.Request) {
		if !w.ready.Load() {
			http.Error(rw, "not at work yet", http.StatusServiceUnavailable)
		}
	})
	root.HandleFunc("GET /doctor", w.examine)
	root.HandleFunc("GET /jobs", w.serveJobs)
	root.HandleFunc("POST /audit/verify", w.auditKeeper.verify)
	return []controlSocket{{p.WorkerPanelSocket(), config.PanelUID, panel}, {p.WorkerSocket(), 0, root}}
}

// listenControls opens all sockets, or none.
func listenControls(all []controlSocket, log *slog.Logger) (_ []net.Listener, err error) {
	var open []net.Listener
	defer func() {
		if err == nil {
			return
		}
		for _, l := range open {
			err = errors.Join(err, l.Close())
		}
	}()
	for _, c := range all {
		l, err := c.listen(log)
		if err != nil {
			return nil, err
		}
		open = append(open, l)
	}
	return open, nil
}

// listen opens the socket. Its group comes from the directory (setgid).
func (c controlSocket) listen(log *slog.Logger) (net.Listener, error) {
	l, err := unixsocket.Listen(c.path, func(name string) error { return os.Chmod(name, 0o660) })
	if err != nil {
		return nil, fmt.Errorf("listening on the worker's socket: %w", err)
	}
	return peerListener{l, c.uid, log.With("socket", c.path)}, nil
}

// serve serves on all sockets until ctx ends.
func (w *Worker) serve(ctx context.Context, controls []controlSocket, listeners []net.Listener) {
	var wait sync.WaitGroup
	defer wait.Wait()
	for i, c := range controls {
		srv := &http.Server{Handler: c.calls, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
		stop := context.AfterFunc(ctx, func() { _ = srv.Close() }) // a nudge lost at the end is found by the next worker
		wait.Go(func() {
			defer stop()
			defer recovery.Log(w.log, "serving a socket of the worker")
			if err := srv.Serve(listeners[i]); err != nil && !errors.Is(err, http.ErrServerClosed) {
				w.log.Error("a socket of the worker broke; operations now wait for the next poll", "socket", c.path, "error", err)
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
