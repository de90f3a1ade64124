package egress

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"chatiere/reverseproxy/egress/clienthello"
	"chatiere/reverseproxy/egress/dialer"
	"chatiere/reverseproxy/egress/relay"
	"chatiere/reverseproxy/egress/spool"
	"chatiere/reverseproxy/hostname"
	"chatiere/reverseproxy/origin"
	"chatiere/reverseproxy/recovery"
)

const (
	requestTimeout = 5 * time.Second
	// maxPending bounds the connections that are not tunnels (yet).
	maxPending = 32
)

// serveEgress accepts connections until the listener is closed.
func (s *site) serveEgress(ctx context.Context, listener net.Listener) {
	places := make(chan struct{}, s.MaxTunnels+maxPending)
	for {
		conn, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			s.log.Error("accepting connection", "error", err)
			acceptPause(ctx)
			continue
		}
		select {
		case places <- struct{}{}:
		default:
			_ = conn.Close()
			s.record(request{}, spool.Refused, ErrTooMany)
			continue
		}
		s.wait.Go(func() {
			defer func() { <-places }()
			defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
			defer func() { _ = conn.Close() }()
			defer recovery.Log(s.log, "serving a site's connection")
			s.serve(ctx, conn)
		})
	}
}

// serve reads one request, decides and answers.
func (s *site) serve(ctx context.Context, conn net.Conn) {
	_ = conn.SetReadDeadline(time.Now().Add(requestTimeout))
	reader := bufio.NewReaderSize(conn, maxHead)
	r, err := readRequest(reader)
	list := s.list.Load()
	if !s.withinLimit(r, err) {
		err = ErrTooFast
	}
	if errors.Is(err, errNoRequest) {
		return // no attempt to reach anything
	}
	if err == nil {
		err = s.admit(list, r)
	}
	if err != nil {
		s.refuse(conn, r, err)
		return
	}
	if r.isQuery() {
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 204 No Content\r\nPorts: %s\r\n\r\n", ports(list, r.name))
		return
	}
	s.connect(ctx, conn, reader, list, r)
}

// withinLimit applies the site's rate limit to every request, refused ones included.
// Queries have a limit of their own, since one page may query more names than it
// opens tunnels.
func (s *site) withinLimit(r request, fault error) bool {
	if fault == nil && r.isQuery() {
		return s.queries.AllowN(s.Now(), 1)
	}
	return s.attempts.AllowN(s.Now(), 1)
}

func (s *site) connect(ctx context.Context, conn net.Conn, reader *bufio.Reader, list *List, r request) {
	leave, err := s.acquireTunnel()
	if err != nil {
		s.refuse(conn, r, err)
		return
	}
	defer leave()
	upstream, err := s.dial(ctx, list, r)
	if err != nil {
		s.refuse(conn, r, err)
		return
	}
	defer context.AfterFunc(ctx, func() { _ = upstream.Close() })()
	s.tunnel(ctx, conn, reader, upstream, r, s.isOwnHost(list, r))
}

// acquireTunnel takes a slot for a tunnel, both of the site and of all sites.
func (s *site) acquireTunnel() (leave func(), err error) {
	select {
	case s.tunnels <- struct{}{}:
	default:
		return nil, ErrTooMany
	}
	select {
	case s.gateway.tunnels <- struct{}{}:
	default:
		<-s.tunnels
		return nil, ErrFull
	}
	return func() { <-s.gateway.tunnels; <-s.tunnels }, nil
}

// ports returns the allowed ports of a name for the site's resolver, which listens on
// them before a connection comes.
func ports(list *List, name string) string {
	var texts []string
	for _, port := range list.Ports(name) {
		texts = append(texts, strconv.Itoa(port))
	}
	return strings.Join(texts, ",")
}

// admit decides by the list.
func (s *site) admit(list *List, r request) error {
	if s.isOwnHost(list, r) {
		return nil
	}
	err := list.Decide(r.name, r.port)
	if r.isQuery() && errors.Is(err, ErrPortNotListed) {
		return nil // no list has port 0: the name is there
	}
	return err
}

// isOwnHost reports whether a site requests its own public address. Plain HTTP is answered by a redirect to it.
func (s *site) isOwnHost(list *List, r request) bool {
	return r.name == list.Host && (r.isQuery() || r.port == 443 || int(r.port) == s.PublicPort || r.port == origin.PlainPort)
}

func (s *site) dial(ctx context.Context, list *List, r request) (net.Conn, error) {
	if !s.isOwnHost(list, r) {
		return s.dialer.Dial(ctx, r.name, r.port)
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", s.EdgeSocket)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEdge, err)
	}
	err = errors.Join(conn.SetWriteDeadline(time.Now().Add(requestTimeout)), origin.Origin{Site: s.id, Host: list.Host, Port: int(r.port)}.Write(conn))
	if err != nil {
		_ = conn.Close() // nobody is served on it
		return nil, fmt.Errorf("%w: %w", ErrEdge, err)
	}
	return conn, nil
}

func (s *site) tunnel(ctx context.Context, conn net.Conn, early *bufio.Reader, upstream net.Conn, r request, own bool) {
	if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		_ = upstream.Close()
		return
	}
	t := &tunnel{client: conn, early: early, server: upstream, idle: s.Idle, name: r.name, requireTLS: speaksTLS(r.port)}
	if own { // a connection to itself does not leave the machine and uses no bandwidth
		t.requireTLS = r.port != origin.PlainPort
	} else {
		t.waitBandwidth = func(n int) error { return s.bandwidth.WaitN(ctx, n) }
	}
	fault := t.run(func() { s.record(r, spool.Allowed, nil) })
	if own && fault != nil {
		s.recordElsewhere(r, t.serverName, fault)
	} else if fault != nil {
		s.record(r, spool.Refused, fault)
	}
	s.spool.Add(s.key(r, spool.Allowed, ""), 0, t.sent.Load(), t.received.Load())
}

// recordElsewhere records that a site used the connection to its own name for another server, under the server name it
// sent. If it sent none, its own name is recorded.
func (s *site) recordElsewhere(r request, sought string, fault error) {
	if !errors.Is(fault, clienthello.ErrForm) {
		fault = fmt.Errorf("%w: %w", origin.ErrElsewhere, fault)
	}
	if name, ok := hostname.Public(sought); ok {
		r.name = name
	}
	s.record(r, spool.Refused, fault)
}

// refuse answers and records a refusal. A site that does not read the answer delays nothing.
func (s *site) refuse(conn net.Conn, r request, cause error) {
	status := statusOf(cause)
	decision := spool.Refused
	if status >= http.StatusInternalServerError {
		decision = spool.Failed
	}
	s.record(r, decision, cause)
	_ = conn.SetWriteDeadline(time.Now().Add(requestTimeout))
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
		status, http.StatusText(status))
}

// outcomeTable maps causes to statuses; the causes' texts are the recorded reasons.
var outcomeTable = []struct {
	cause  error
	status int
}{
	{ErrNotListed, http.StatusForbidden},
	{ErrPortNotListed, http.StatusForbidden},
	{ErrBareAddress, http.StatusForbidden},
	{dialer.ErrNotPublic, http.StatusForbidden},
	{ErrMethod, http.StatusMethodNotAllowed},
	{ErrRequest, http.StatusBadRequest},
	{ErrTooMany, http.StatusTooManyRequests},
	{ErrTooFast, http.StatusTooManyRequests},
	{ErrFull, http.StatusServiceUnavailable},
	{origin.ErrElsewhere, http.StatusForbidden}, // before what it wraps
	{clienthello.ErrWrongName, http.StatusForbidden},
	{clienthello.ErrNoName, http.StatusForbidden},
	{clienthello.ErrHidden, http.StatusForbidden},
	{clienthello.ErrForm, http.StatusForbidden},
	{ErrEdge, http.StatusBadGateway},
	{dialer.ErrResolve, http.StatusBadGateway},
	{dialer.ErrDial, http.StatusBadGateway},
}

func statusOf(cause error) int {
	if errors.Is(cause, context.DeadlineExceeded) {
		return http.StatusGatewayTimeout
	}
	for _, o := range outcomeTable {
		if errors.Is(cause, o.cause) {
			return o.status
		}
	}
	return http.StatusBadGateway
}

// reasonOf returns the constant part of a cause, by which records are grouped.
func reasonOf(cause error) string {
	for _, o := range outcomeTable {
		if errors.Is(cause, o.cause) {
			return o.cause.Error()
		}
	}
	if reason := relay.Reason(cause); reason != "" {
		return reason
	}
	return "other"
}

// Reasons returns every reason that a record may have, "other" included; the pages need a text for each.
func Reasons() []string {
	all := append(relay.Reasons(), "other")
	for _, o := range outcomeTable {
		all = append(all, o.cause.Error())
	}
	return all
}

func isLimit(cause error) bool {
	return errors.Is(cause, ErrTooFast) || errors.Is(cause, ErrTooMany) || errors.Is(cause, ErrFull) ||
		errors.Is(cause, relay.ErrTooFast)
}
