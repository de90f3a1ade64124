package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"chatiere/reverseproxy/egress/spool"
)

const (
	mailPort  = 25
	mailLimit = 30 * time.Second
	maxMails  = 16
)

// serveMail is the mail port's first form: it greets and refuses the sender at
// once and for good, so that a page which sends mail is told so in
// milliseconds, and no client keeps trying.
func (s *site) serveMail(ctx context.Context, listener net.Listener) {
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return mailSession{s}, nil
	}))
	server.Domain = s.list.Load().Host
	server.ReadTimeout, server.WriteTimeout = mailLimit, mailLimit
	server.MaxLineLength = 1000
	server.MaxRecipients = 1
	server.ErrorLog = mailLog{s}
	closeOnce := sync.OnceFunc(func() { _ = server.Close() }) // twice at once would panic
	defer closeOnce()
	defer context.AfterFunc(ctx, closeOnce)()
	err := server.Serve(&fewListener{Listener: listener, places: make(chan struct{}, maxMails)})
	if err != nil && ctx.Err() == nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, smtp.ErrServerClosed) {
		s.log.Error("serving mail port", "error", err)
	}
}

type mailSession struct{ site *site }

var tooFast = &smtp.SMTPError{
	Code:         421,
	EnhancedCode: smtp.EnhancedCode{4, 7, 0},
	Message:      "Too many attempts",
}

var noRelay = &smtp.SMTPError{
	Code:         554,
	EnhancedCode: smtp.EnhancedCode{5, 3, 2},
	Message:      "Mail relay not available yet",
}

// Mail refuses every sender.
func (m mailSession) Mail(string, *smtp.MailOptions) error {
	asked := request{name: "mail", port: mailPort}
	if !m.site.bucket.take() {
		m.site.note(asked, spool.Refused, ErrTooFast)
		return tooFast
	}
	m.site.note(asked, spool.Refused, ErrNoRelay)
	return noRelay
}

// Rcpt is never reached: there is no sender.
func (m mailSession) Rcpt(string, *smtp.RcptOptions) error { return noRelay }

// Data is never reached: there is no recipient.
func (m mailSession) Data(io.Reader) error { return noRelay }

// Reset has nothing to forget.
func (m mailSession) Reset() {}

// Logout has nothing to close.
func (m mailSession) Logout() error { return nil }

type mailLog struct{ site *site }

// Printf is go-smtp's way to report; only its format is constant.
func (m mailLog) Printf(string, ...any) { m.site.log.Debug("mail client went away") }

// Println is go-smtp's other way to report.
func (m mailLog) Println(...any) { m.site.log.Debug("mail client went away") }

// fewListener answers connections beyond its places with "busy".
type fewListener struct {
	net.Listener
	places chan struct{}
}

// Accept waits for a connection that has a place.
func (l *fewListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.places <- struct{}{}:
			return &placedConn{Conn: conn, free: sync.OnceFunc(func() { <-l.places })}, nil
		default:
			_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = io.WriteString(conn, "421 4.7.0 Too many connections\r\n")
			_ = conn.Close()
		}
	}
}

type placedConn struct {
	net.Conn
	free func()
}

// Close gives the place back.
func (c *placedConn) Close() error {
	c.free()
	return c.Conn.Close()
}
