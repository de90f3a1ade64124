// Package egress is the gateway, the sites' only way out. For each site that
// has a list it opens two sockets in the site's gate directory: one accepts CONNECT
// requests by name, which the list allows or not; the other is the mail port. It knows
// nothing of associations, containers or databases: lists come as files, and
// attempts are written to spool files.
//
// Read [Run] first, then site.go (one site), serve.go (one connection),
// tunnel.go and opening.go (its bytes) and the packages dialer (which addresses
// may be dialled) and clienthello (the server name that a TLS client sends).
package egress

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"time"

	"chatiere/reverseproxy/egress/dialer"
	"chatiere/reverseproxy/egress/relay"
	"chatiere/reverseproxy/egress/spool"
	"chatiere/reverseproxy/recovery"
)

// Permit is an exception for addresses that are not public; see [dialer.Permit].
type Permit = dialer.Permit

// ParsePermits reads exceptions such as "mirror.lan:443" or "10.1.0.0/16".
func ParsePermits(texts []string) ([]Permit, error) { return dialer.ParsePermits(texts) }

// Options configure the gateway; tests replace the resolver, the dialer and the
// clock. The four paths are required; the rest has defaults.
type Options struct {
	ListDir    string // <root>/egress
	RunDir     string // <root>/run/app
	EdgeSocket string // <root>/run/proxy/gateway/edge.sock, where connections begin with their origin
	SpoolDir   string // <root>/spool/gateway
	PublicPort int    // port of the sites' public addresses; 443 counts always

	Mail relay.Options // without a Dir, mail is kept in "mail" below SpoolDir

	Permit   []Permit
	Resolver dialer.Resolver
	Dialer   dialer.NetDialer
	Now      func() time.Time

	Limits
	Idle     time.Duration // a tunnel without traffic is closed (10 minutes)
	CacheTTL time.Duration // addresses of a name are cached (20 s)
	Rescan   time.Duration // lists and sockets are checked again (2 s)
	Flush    time.Duration // spool files are written (10 s)
}

func (o Options) withDefaults() (Options, error) {
	for name, path := range map[string]string{
		"ListDir": o.ListDir, "RunDir": o.RunDir, "EdgeSocket": o.EdgeSocket, "SpoolDir": o.SpoolDir,
	} {
		if path == "" {
			return o, fmt.Errorf("%w: %s is empty", ErrOptions, name)
		}
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Dialer == nil {
		o.Dialer = &net.Dialer{KeepAlive: 30 * time.Second}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Mail.Dir == "" {
		o.Mail.Dir = filepath.Join(o.SpoolDir, "mail")
	}
	if o.Mail.Now == nil {
		o.Mail.Now = o.Now
	}
	o.fill()
	orDefault(&o.Idle, 10*time.Minute)
	orDefault(&o.CacheTTL, 20*time.Second)
	orDefault(&o.Rescan, 2*time.Second)
	orDefault(&o.Flush, 10*time.Second)
	return o, nil
}

func orDefault[T int | int64 | float64 | time.Duration](value *T, otherwise T) {
	if *value <= 0 {
		*value = otherwise
	}
}

// Run serves the sites until ctx ends. It fails only if it cannot start; a
// fault of one site or one list is logged and leaves the others alone.
func Run(ctx context.Context, options Options, log *slog.Logger) error {
	options, err := options.withDefaults()
	if err != nil {
		return err
	}
	entries, err := spool.New(options.SpoolDir, options.Now, log)
	if err != nil {
		return fmt.Errorf("opening spool: %w", err)
	}
	unlock, err := lockSpool(ctx, options.SpoolDir, log)
	if err != nil || unlock == nil {
		return err
	}
	defer unlock()
	g := &gateway{
		Options: options,
		log:     log,
		spool:   entries,
		relay:   relay.Open(options.Mail, log),
		dialer: &dialer.Dialer{
			Permits: options.Permit, Resolver: options.Resolver, NetDialer: options.Dialer, CacheTTL: options.CacheTTL, Now: options.Now,
		},
		tunnels:  make(chan struct{}, options.AllTunnels),
		sites:    map[string]*site{},
		versions: map[string]fileVersion{},
	}
	g.checkDescriptors()
	var wait sync.WaitGroup
	wait.Go(func() { recovery.Keep(ctx, log, "writing the spool", g.flush) })
	wait.Go(func() { recovery.Keep(ctx, log, "sending mail", g.relay.Run) })
	recovery.Keep(ctx, log, "watching the lists", g.watch)
	g.closeAll()
	wait.Wait()
	return g.spool.Flush()
}

// gateway is one running gateway. sites and seen belong to the watching goroutine.
type gateway struct {
	Options
	log             *slog.Logger
	spool           *spool.Spool
	dialer          *dialer.Dialer
	relay           *relay.Relay
	tunnels         chan struct{} // a place for each open tunnel of any site
	sites           map[string]*site
	versions        map[string]fileVersion
	listsUnreadable bool // the lists could not be read, and that was logged
}

func (g *gateway) flush(ctx context.Context) {
	tick := time.NewTicker(g.Flush)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := g.spool.Flush(); err != nil {
			g.log.Error("writing spool", "error", err)
		}
	}
}
