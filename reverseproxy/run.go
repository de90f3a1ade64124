package reverseproxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"chatiere/reverseproxy/accesslog"
	"chatiere/reverseproxy/certs"
	"chatiere/reverseproxy/edge"
	"chatiere/reverseproxy/pages"
	"chatiere/reverseproxy/recovery"
	"chatiere/reverseproxy/routes"
	"chatiere/reverseproxy/traffic"
	"chatiere/reverseproxy/upstream"
)

// Options configure a proxy.
type Options struct {
	// Routes is the path of the route table.
	Routes string
	// Cert and Key are the paths of the certificate (with its chain) and its key.
	Cert, Key string
	// Spool is the directory for traffic counts and for refused attempts of sites; empty counts in memory only.
	Spool string

	// HTTPS and HTTP are addresses to listen on; either may be empty.
	HTTPS, HTTP string
	// Sockets are unix sockets that serve TLS like HTTPS, for callers without a network.
	Sockets []edge.Socket
	// Inherited holds listeners that are bound already, by "https", "http" or the path of a socket;
	// they are used in place of new ones. See edge.Inherited.
	Inherited map[string]net.Listener

	// Contact is named on the proxy's pages.
	Contact pages.Contact
	// Access gets a line for each request; nil logs none.
	Access *accesslog.Log
	// Edge and Upstream carry timeouts and limits; handlers, certificate and log are filled in here.
	Edge     edge.Options
	Upstream upstream.Options
	// Poll is how often table and certificate are looked at even if the kernel says nothing; 2 s.
	Poll time.Duration
	// Clock is time.Now if nil.
	Clock func() time.Time
	// Ready, if set, is called once with the bound addresses: HTTPS, HTTP, sockets, in that order.
	Ready func([]net.Addr)
}

func (o Options) withDefaults() (Options, error) {
	if o.Routes == "" || o.Cert == "" || o.Key == "" {
		return o, fmt.Errorf("%w: route table, certificate and key are needed", ErrOptions)
	}
	if o.HTTPS == "" && o.HTTP == "" && len(o.Sockets) == 0 {
		return o, fmt.Errorf("%w: nothing to listen on", ErrOptions)
	}
	o.Poll = cmp.Or(o.Poll, 2*time.Second)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o, nil
}

// Run serves until ctx ends and the requests in flight have been answered. It starts even if the route table, the
// certificate or the spool is missing or broken, and uses them as soon as they are valid.
func Run(ctx context.Context, opts Options, log *slog.Logger) error {
	opts, err := opts.withDefaults()
	if err != nil {
		return err
	}
	p := components{access: opts.Access, log: log, clock: opts.Clock, counter: new(traffic.Counter)}
	if p.pages, err = pages.New(opts.Contact); err != nil {
		return err
	}
	if p.attempts, err = openAttempts(opts.Spool, opts.Clock, log); err != nil {
		log.Error("attempts of sites are not recorded", "error", err)
	}
	opts.Upstream.ErrorPageStatus = errorPageStatus
	p.transport = upstream.New(opts.Upstream)
	watcher := routes.Open(opts.Routes, opts.Poll, opts.Clock, log)
	p.table = watcher
	source := certs.Open(opts.Cert, opts.Key, opts.Poll, opts.Clock, log)

	opts.Edge.Secure, opts.Edge.Plain = p.handlers()
	opts.Edge.GetCertificate, opts.Edge.Log = source.GetCertificate, log
	opts.Edge.Busy = withState(requestID(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.pages.Serve(w, r, pages.Busy, "") })))
	opts.Edge.Refusal = p.pages.Bare
	server, err := edge.New(opts.Edge)
	if err != nil {
		return err
	}
	listeners, err := opts.listen()
	if err != nil {
		return err
	}
	// What serves requests outlives ctx until they are drained.
	base, stop := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() { recovery.Keep(base, log, "watching the route table", watcher.Run) })
	background.Go(func() { recovery.Keep(base, log, "watching certificates", source.Run) })
	background.Go(func() { recovery.Keep(base, log, "closing idle upstream connections", p.transport.CloseIdleConns) })
	background.Go(func() { recovery.Keep(base, log, "writing attempts of sites", p.attempts.run) })
	if opts.Access != nil {
		background.Go(func() {
			recovery.Keep(base, log, "writing the access log", func(ctx context.Context) { opts.Access.Run(ctx, log) })
		})
	}
	if opts.Spool != "" {
		spool := &traffic.Spool{Dir: opts.Spool, Counter: p.counter, Clock: opts.Clock, Log: log}
		background.Go(func() { recovery.Keep(base, log, "writing traffic counts", spool.Run) })
	}
	if opts.Ready != nil {
		opts.Ready(listeners.addrs())
	}
	err = server.Serve(ctx, listeners.secure, listeners.plain)
	stop()
	background.Wait()
	return err
}

// listeners are bound sockets, by what they speak.
type listeners struct {
	secure, plain []net.Listener
	all           []net.Listener
}

func (l *listeners) addrs() []net.Addr {
	out := make([]net.Addr, 0, len(l.all))
	for _, one := range l.all {
		out = append(out, one.Addr())
	}
	return out
}

// listen binds everything, or nothing.
func (o Options) listen() (_ *listeners, err error) {
	l := new(listeners)
	defer func() {
		if err == nil {
			return
		}
		for _, one := range l.all {
			err = errors.Join(err, one.Close())
		}
	}()
	if o.HTTPS != "" {
		if err := l.add(&l.secure, o.Inherited["https"], func() (net.Listener, error) { return net.Listen("tcp", o.HTTPS) }); err != nil {
			return nil, err
		}
	}
	if o.HTTP != "" {
		if err := l.add(&l.plain, o.Inherited["http"], func() (net.Listener, error) { return net.Listen("tcp", o.HTTP) }); err != nil {
			return nil, err
		}
	}
	for _, socket := range o.Sockets {
		if err := l.add(&l.secure, o.Inherited[socket.Path], func() (net.Listener, error) { return edge.ListenUnix(socket) }); err != nil {
			return nil, err
		}
		l.secure[len(l.secure)-1] = edge.SocketListener{Listener: l.secure[len(l.secure)-1], Socket: socket}
	}
	return l, nil
}

func (l *listeners) add(list *[]net.Listener, inherited net.Listener, bind func() (net.Listener, error)) error {
	one := inherited
	if one == nil {
		var err error
		if one, err = bind(); err != nil {
			return fmt.Errorf("listening: %w", err)
		}
	}
	*list, l.all = append(*list, one), append(l.all, one)
	return nil
}
