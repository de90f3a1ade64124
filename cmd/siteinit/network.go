package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"chatiere/cmd/siteinit/internal/forward"
	"chatiere/cmd/siteinit/internal/names"
	"chatiere/cmd/siteinit/internal/resolver"
)

const (
	maxTunnels = 256 // the gateway's own limit per site is lower
	maxMails   = 16
	httpPort   = 80
	httpsPort  = 443
	maxPorts   = 64 // listened on for egress; as many as one name of a list may have
	// listenAddress is 127.66.0.0/16 and the rest of loopback: there is no other
	// network, and a listener for each name and port would cost more.
	listenAddress = "0.0.0.0"
)

// network is the site's resolver, egress and mail port.
type network struct {
	settings
	env   func(string) string
	log   *slog.Logger
	names *names.Table
	stop  context.CancelFunc
	wait  sync.WaitGroup

	mu   sync.Mutex
	open map[int]bool // egress ports that were listened on, or tried
}

// openNetwork opens what it can and logs what it cannot: a site without egress
// still serves its pages.
func openNetwork(ctx context.Context, s settings, env func(string) string, log *slog.Logger) *network {
	n := &network{
		settings: s, env: env, log: log,
		names: names.NewTable(names.DefaultSize, names.DefaultHold, time.Now), open: map[int]bool{},
	}
	ctx, n.stop = context.WithCancel(ctx)
	n.openResolver(ctx)
	n.openEgress(ctx)
	n.openMail(ctx)
	return n
}

func (n *network) close() {
	n.stop()
	n.wait.Wait()
}

func (n *network) openResolver(ctx context.Context) {
	var listen net.ListenConfig
	packets, err := listen.ListenPacket(ctx, "udp", n.dns)
	if err != nil {
		n.logClosed("udp "+n.dns, err)
	}
	streams, err := listen.Listen(ctx, "tcp", n.dns)
	if err != nil {
		n.logClosed("tcp "+n.dns, err)
	}
	book := gatewayResolver{n.names, n.env("EGRESS_SOCKET"), n.reporter(), func(ports []int) { n.listen(ctx, ports) }}
	n.wait.Go(func() { resolver.Serve(ctx, packets, streams, book, n.log) })
}

func (n *network) openEgress(ctx context.Context) {
	if n.env("EGRESS_SOCKET") != "" {
		n.listen(ctx, []int{httpPort, httpsPort, ownPort(n.env("SITE_URL"))})
	}
}

// listen listens on ports that are not open yet. A site's list may grow while it
// runs; a port that was removed from the list stays open, and the gateway refuses
// its connections.
func (n *network) listen(ctx context.Context, ports []int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, port := range ports {
		if n.open[port] || len(n.open) >= maxPorts || n.isMail(port) || ctx.Err() != nil {
			continue
		}
		n.open[port] = true
		handle := forward.Egress(n.env("EGRESS_SOCKET"), ownLoopbackName(n.env("SITE_HOST")), n.names, n.reporter())
		n.forward(ctx, "tcp4", net.JoinHostPort(listenAddress, strconv.Itoa(port)), maxTunnels, handle)
	}
}

func (n *network) isMail(port int) bool { return strings.HasSuffix(n.mail, ":"+strconv.Itoa(port)) }

func (n *network) openMail(ctx context.Context) {
	if socket := n.env("SMTP_SOCKET"); socket != "" {
		n.forward(ctx, "tcp", n.mail, maxMails, forward.Mail(socket, n.reporter()))
	}
}

func (n *network) forward(ctx context.Context, kind, address string, limit int, handle forward.Handler) {
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, kind, address)
	if err != nil {
		n.logClosed(address, err)
		return
	}
	n.wait.Go(func() { forward.Serve(ctx, listener, limit, handle, n.log) })
}

func (n *network) logClosed(address string, err error) {
	hint := ""
	if errors.Is(err, os.ErrPermission) {
		hint = "the container needs the sysctl net.ipv4.ip_unprivileged_port_start=0"
	}
	n.log.Error("listening", "address", address, "error", err, "hint", hint)
}

// reporter logs once in ten seconds why connections fail while the gateway is
// away. The gateway logs refusals itself, with the site's name.
func (n *network) reporter() func(error) {
	var mu sync.Mutex
	var last time.Time
	return func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if errors.Is(err, forward.ErrRefused) || time.Since(last) < 10*time.Second {
			return
		}
		last = time.Now()
		n.log.Warn("forwarding to the gateway", "error", err)
	}
}

// ownPort is the port of the site's own address. It is listened on from the
// start, as 80 and 443 are, since libraries connect to a name below .localhost
// without asking for it, and what is tried there is to be seen; every other
// port is listened on when its name is asked for.
func ownPort(address string) int {
	site, err := url.Parse(address)
	if err != nil {
		return httpsPort
	}
	port, err := strconv.ParseUint(site.Port(), 10, 16)
	if err != nil || port == 0 {
		return httpsPort
	}
	return int(port)
}

// ownLoopbackName is the site's name if libraries take it for loopback without
// asking (RFC 6761), and nothing otherwise.
func ownLoopbackName(host string) string {
	if name, ok := names.Canonical(host); ok && strings.HasSuffix(name, ".localhost") {
		return name
	}
	return ""
}
