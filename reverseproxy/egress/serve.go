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

	"chatiere/reverseproxy/egress/greeting"
	"chatiere/reverseproxy/egress/reach"
	"chatiere/reverseproxy/egress/relay"
	"chatiere/reverseproxy/egress/spool"
	"chatiere/reverseproxy/origin"
	"chatiere/reverseproxy/recovery"
)

const (
	headLimit = 5 * time.Second
	// waiting bounds the connections that have not become tunnels (yet).
	waiting = 32
)

// serveEgress takes connections until the listener is closed.
func (s *site) serveEgress(ctx context.Context, listener net.Listener) {
	places := make(chan struct{}, s.MaxTunnels+waiting)
	for {
		conn, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			s.log.Error("accepting connection", "error", err)
			pause(ctx)
			continue
		}
		select {
		case places <- struct{}{}:
		default:
			_ = conn.Close()
			s.note(request{}, spool.Refused, ErrTooMany)
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

// serve reads one request, decides, and answers.
func (s *site) serve(ctx context.Context, conn net.Conn) {
	_ = conn.SetReadDeadline(time.Now().Add(headLimit))
	reader := bufio.NewReaderSize(conn, maxHead)
	r, err := readRequest(reader)
	list := s.list.Load()
	if !s.mayAsk(r, err) {
		err = ErrTooFast
	}
	if errors.Is(err, errSilent) {
		return // no attempt to reach anything
	}
	if err == nil {
		err = s.admit(list, r)
	}
	if err != nil {
		s.refuse(conn, r, err)
		return
	}
	if r.asking() {
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 204 No Content\r\nPorts: %s\r\n\r\n", ports(list, r.name))
		return
	}
	s.connect(ctx, conn, reader, list, r)
}

// mayAsk takes from the site's budget whatever was asked: a refusal has its
// price too. Questions about names have a budget of their own, since one page
// may well ask for more names than it opens tunnels.
func (s *site) mayAsk(r request, fault error) bool {
	if fault == nil && r.asking() {
		return s.questions.take()
	}
	return s.bucket.take()
}

func (s *site) connect(ctx context.Context, conn net.Conn, reader *bufio.Reader, list *List, r request) {
	leave, err := s.enter()
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
	s.tunnel(ctx, conn, reader, upstream, r, s.own(list, r))
}

// enter takes a place for a tunnel, of the site's and of everybody's.
func (s *site) enter() (leave func(), err error) {
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

// ports tells the site's resolver where the list has the name, so that it
// listens there before a connection comes.
func ports(list *List, name string) string {
	var texts []string
	for _, port := range list.Ports(name) {
		texts = append(texts, strconv.Itoa(port))
	}
	return strings.Join(texts, ",")
}

// admit decides by the list.
func (s *site) admit(list *List, r request) error {
	if s.own(list, r) {
		return nil
	}
	err := list.Decide(r.name, r.port)
	if r.asking() && errors.Is(err, ErrPortNotListed) {
		return nil // no list has port 0: the name is there
	}
	return err
}

// own tells whether a site asks for its own public address. Plain HTTP is answered by a redirect to it.
func (s *site) own(list *List, r request) bool {
	return r.name == list.Host && (r.asking() || r.port == 443 || int(r.port) == s.PublicPort || r.port == origin.PlainPort)
}

func (s *site) dial(ctx context.Context, list *List, r request) (net.Conn, error) {
	if !s.own(list, r) {
		return s.reach.Dial(ctx, r.name, r.port)
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", s.EdgeSocket)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEdge, err)
	}
	err = errors.Join(conn.SetWriteDeadline(time.Now().Add(headLimit)), origin.Origin{Site: s.id, Host: list.Host, Port: int(r.port)}.Write(conn))
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
	t := &tunnel{client: conn, early: early, server: upstream, idle: s.Idle, name: r.name, strict: speaksTLS(r.port)}
	if own { // the way to itself is no way out: it takes nothing from the site's share of the line
		t.strict = r.port != origin.PlainPort
	} else {
		t.flow = func(n int) error { return s.flow.WaitN(ctx, n) }
	}
	fault := t.run(func() { s.note(r, spool.Allowed, nil) })
	if own && fault != nil {
		s.noteElsewhere(r, t.sought, fault)
	} else if fault != nil {
		s.note(r, spool.Refused, fault)
	}
	s.spool.Add(s.key(r, spool.Allowed, ""), 0, t.sent.Load(), t.received.Load())
}

// noteElsewhere records that a site used the way to its own name for another server, under the name that it sought there.
// In a greeting that tells none, or is none, it sought no other.
func (s *site) noteElsewhere(r request, sought string, fault error) {
	if !errors.Is(fault, greeting.ErrForm) {
		fault = fmt.Errorf("%w: %w", origin.ErrElsewhere, fault)
	}
	if name, ok := canonical(sought); ok {
		r.name = name
	}
	s.note(r, spool.Refused, fault)
}

// refuse answers, and notes. Nobody waits for a site that does not read.
func (s *site) refuse(conn net.Conn, r request, cause error) {
	status := statusOf(cause)
	decision := spool.Refused
	if status >= http.StatusInternalServerError {
		decision = spool.Failed
	}
	s.note(r, decision, cause)
	_ = conn.SetWriteDeadline(time.Now().Add(headLimit))
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
		status, http.StatusText(status))
}

// outcomes is the one place where causes become answers and words.
var outcomes = []struct {
	cause  error
	status int
}{
	{ErrNotListed, http.StatusForbidden},
	{ErrPortNotListed, http.StatusForbidden},
	{ErrBareAddress, http.StatusForbidden},
	{reach.ErrInside, http.StatusForbidden},
	{ErrMethod, http.StatusMethodNotAllowed},
	{ErrRequest, http.StatusBadRequest},
	{ErrTooMany, http.StatusTooManyRequests},
	{ErrTooFast, http.StatusTooManyRequests},
	{ErrFull, http.StatusServiceUnavailable},
	{origin.ErrElsewhere, http.StatusForbidden}, // before what it wraps
	{greeting.ErrOtherName, http.StatusForbidden},
	{greeting.ErrNoName, http.StatusForbidden},
	{greeting.ErrHidden, http.StatusForbidden},
	{greeting.ErrForm, http.StatusForbidden},
	{ErrEdge, http.StatusBadGateway},
	{reach.ErrResolve, http.StatusBadGateway},
	{reach.ErrDial, http.StatusBadGateway},
}

func statusOf(cause error) int {
	if errors.Is(cause, context.DeadlineExceeded) {
		return http.StatusGatewayTimeout
	}
	for _, o := range outcomes {
		if errors.Is(cause, o.cause) {
			return o.status
		}
	}
	return http.StatusBadGateway
}

// reasonOf returns the constant part of a cause, by which records are summed.
func reasonOf(cause error) string {
	for _, o := range outcomes {
		if errors.Is(cause, o.cause) {
			return o.cause.Error()
		}
	}
	if reason := relay.Reason(cause); reason != "" {
		return reason
	}
	return "other"
}

// Reasons returns every reason that a record may carry, "other" included: those who tell people of them want words for each.
func Reasons() []string {
	all := append(relay.Reasons(), "other")
	for _, o := range outcomes {
		all = append(all, o.cause.Error())
	}
	return all
}

func limited(cause error) bool {
	return errors.Is(cause, ErrTooFast) || errors.Is(cause, ErrTooMany) || errors.Is(cause, ErrFull) ||
		errors.Is(cause, relay.ErrTooFast)
}
