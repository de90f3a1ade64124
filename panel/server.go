package panel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/auth"
	"chatiere/panel/contract"
	"chatiere/panel/feed"
	"chatiere/panel/middleware"
	"chatiere/panel/openapi"
	"chatiere/panel/views"
	"chatiere/tenants/identity"
	"chatiere/tenants/recovery"
)

// Server is the panel.
type Server struct {
	o          Options
	now        func() time.Time
	log        *slog.Logger
	origin     string // scheme, host and port of our own pages
	paris      *time.Location
	provider   *identity.Provider
	sessions   *auth.Sessions
	signIn     *auth.SignIn
	tokens     *auth.Tokens
	breakGlass *auth.BreakGlass
	back       *auth.BackChannel
	limiter    *auth.Limiter // of sign-in attempts
	changes    *auth.Changes // notified when a session or token ends
	feed       *feed.Feed
	streams    *feed.Limiter
	document   *openapi.Document // of the API
	protect    func(*fiber.Ctx)  // sets the headers of every answer

	// done is over when the server is: streams and long waits end with it.
	done context.Context
	stop context.CancelFunc
}

// New puts a panel together. It talks to nobody yet.
func New(o Options) (*Server, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o.fill()
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		return nil, fmt.Errorf("loading time zone: %w", err)
	}
	seal, err := auth.NewSealer(o.SignIn.SessionKey)
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, now: o.Now, log: o.Log, paris: paris, origin: originOf(o.PublicURL)}
	s.done, s.stop = context.WithCancel(context.Background())
	s.changes = &auth.Changes{}
	s.provider = identity.NewProvider(o.SignIn.Identity, o.Now, o.Log)
	s.sessions = &auth.Sessions{
		Store: o.SignIn.Store, Members: o.SignIn.People, Provider: s.provider, Sealer: seal, Limits: o.SignIn.Limits, Changes: s.changes, Now: o.Now, Log: o.Log,
	}
	s.signIn = &auth.SignIn{Flows: o.SignIn.Store, Sessions: s.sessions, Provider: s.provider, Audit: o.Records, Now: o.Now, Log: o.Log}
	s.tokens = &auth.Tokens{Changes: s.changes, Limits: o.SignIn.Limits, Store: o.SignIn.Store, Members: o.SignIn.People, Audit: o.Records, Now: o.Now, Log: o.Log}
	s.breakGlass = &auth.BreakGlass{Links: o.SignIn.Store, Sessions: s.sessions, Audit: o.Records, Now: o.Now}
	s.back = &auth.BackChannel{Provider: s.provider, Store: o.SignIn.Store, Changes: s.changes, Audit: o.Records, Now: o.Now}
	s.limiter = auth.NewLimiter(o.SignIn.Store, o.SignIn.SessionKey, o.Now, o.Log)
	s.streams = feed.NewLimiter(maxStreams)
	s.feed = feed.New(s.done, o.Records, pollInterval, o.Log)
	s.protect = middleware.Protection(originOf(o.SignIn.Identity.Issuer))
	s.document, err = contract.Document(sessionCookie, s.apiRoutes())
	return s, err
}

const (
	pollInterval  = 300 * time.Millisecond
	sweepInterval = 10 * time.Minute
	shutdownLimit = 20 * time.Second
)

// Limits of one request.
const (
	handlerLimit = 15 * time.Second
	patientLimit = 60 * time.Second // routes that wait on purpose
	bodyLimit    = 256 << 10        // forms and JSON; nothing is uploaded here
	headerLimit  = 48 << 10         // the proxy lets 40 KiB through, and adds its own fields
)

// app returns the Fiber app of one listener.
func (s *Server) app(on listener) *fiber.App {
	app := fiber.New(fiber.Config{
		Immutable: true, CaseSensitive: true, StrictRouting: false, DisableStartupMessage: true,
		BodyLimit: bodyLimit, ReadBufferSize: headerLimit,
		ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 75 * time.Second,
		ErrorHandler: s.fail,
	})
	app.Use(middleware.RequestID(), middleware.Headers(originOf(s.o.SignIn.Identity.Issuer)), middleware.Language(views.Languages()),
		middleware.AccessLog(s.log, s.now, healthPath), middleware.Recover(s.log))
	for _, r := range s.routes() {
		s.mount(app, on, r)
	}
	app.Use(func(*fiber.Ctx) error { return fiber.ErrNotFound })
	return app
}

// Run serves both listeners until ctx is done, then lets requests finish.
func (s *Server) Run(ctx context.Context) error {
	defer s.stop()
	var owned sync.WaitGroup
	background, stop := context.WithCancel(ctx)
	defer owned.Wait()
	defer stop()
	owned.Go(func() { recovery.Keep(background, s.log, "finding the issuer", s.provider.Run) })
	owned.Go(func() {
		recovery.Keep(background, s.log, "sweeping sessions", func(ctx context.Context) { s.sessions.DeleteExpired(ctx, sweepInterval) })
	})

	apps, failed, err := s.listen(&owned)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		err = nil
	case err = <-failed:
	}
	s.stop() // streams go first: shutting down waits for them
	for _, app := range apps {
		if e := app.ShutdownWithTimeout(shutdownLimit); e != nil {
			err = errors.Join(err, fmt.Errorf("shutting down: %w", e))
		}
	}
	s.feed.Wait()
	return err
}

func (s *Server) listen(owned *sync.WaitGroup) ([]*fiber.App, <-chan error, error) {
	failed := make(chan error, 2)
	var apps []*fiber.App
	var listeners []net.Listener
	for _, at := range []struct {
		door   listener
		socket string
		mode   fs.FileMode
	}{{edge, s.o.Sockets.Edge, 0o660}, {local, s.o.Sockets.Local, 0o600}} {
		listener, err := listenUnix(at.socket, at.mode)
		if err != nil {
			for _, open := range listeners {
				_ = open.Close()
			}
			return nil, nil, err
		}
		listeners, apps = append(listeners, listener), append(apps, s.app(at.door))
	}
	for i, app := range apps {
		owned.Go(func() {
			defer recovery.Log(s.log, "serving")
			if err := app.Listener(listeners[i]); err != nil {
				failed <- fmt.Errorf("serving: %w", err)
			}
		})
	}
	s.log.Info("panel listens", "edge", s.o.Sockets.Edge, "local", s.o.Sockets.Local)
	return apps, failed, nil
}

// maxSocketPath is the kernel's limit for sun_path, less its final zero.
const maxSocketPath = 107

// listenUnix takes the place of a socket whose owner is gone, and of no other.
func listenUnix(path string, mode fs.FileMode) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("listening on %s: path has more than %d bytes", path, maxSocketPath)
	}
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = conn.Close()
		return nil, fmt.Errorf("listening on %s: another panel answers there", path)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil, fmt.Errorf("listening on %s: something else than a socket is there", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("removing stale socket: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s to the proxy: %w", path, err), listener.Close())
	}
	return listener, nil
}
