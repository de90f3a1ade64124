package relay

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"chatiere/reverseproxy/egress/relay/queue"
)

// Site is the site that sends mail on a socket.
type Site struct {
	ID   string
	Host func() string // its own name, now
	// Senders are further domains that it may write from, now; nil for none.
	Senders func() []string
	Allow   func() bool // applies the site's rate limit of attempts
	// Record is called with the cause for each refused mail.
	Record func(cause error)
}

// longestLine bounds what a site may send without a line end, in bytes. It is
// far above what SMTP allows: [recoder] encodes what is too long.
const longestLine = 1 << 20

// Serve accepts the site's mail until ctx ends or the listener is closed.
func (r *Relay) Serve(ctx context.Context, listener net.Listener, site Site) {
	r.addServing(site.ID, 1)
	defer r.addServing(site.ID, -1)
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &session{relay: r, site: site}, nil
	}))
	server.Domain = site.Host()
	server.WriteTimeout = idleTimeout
	server.MaxLineLength = longestLine
	server.MaxRecipients = r.MaxRecipients
	server.MaxMessageBytes = r.MaxBytes
	server.ErrorLog = debugLog{r, site.ID}
	closeOnce := sync.OnceFunc(func() { // twice at once would panic
		_ = server.Close()
		_ = listener.Close() // which a server that is closed before it serves does not know yet
	})
	defer closeOnce()
	defer context.AfterFunc(ctx, closeOnce)()
	err := server.Serve(newLimitListener(listener))
	if err != nil && ctx.Err() == nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, smtp.ErrServerClosed) {
		r.log.Error("serving mail port", "site", site.ID, "error", err)
	}
}

type debugLog struct {
	relay *Relay
	site  string
}

// Printf is go-smtp's way to report; only its format is constant.
func (l debugLog) Printf(string, ...any) { l.relay.log.Debug("mail client went away", "site", l.site) }

// Println is go-smtp's other way to report.
func (l debugLog) Println(...any) { l.Printf("") }

// session is one connection of a site.
type session struct {
	relay      *Relay
	site       Site
	recipients []string
}

// Mail checks the sender and whether mail can be accepted now.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.recipients = nil
	r := s.relay
	switch {
	case !s.site.Allow():
		return s.refuse(ErrTooFast)
	case r.Smarthost == nil:
		return s.refuse(ErrNoSmarthost)
	case r.queue == nil:
		return s.refuse(ErrClosed)
	case r.Foreign == Refuse && from != "" && !s.senderRules("").allowedAddress(from):
		return s.refuse(ErrForeign)
	}
	if err := r.queue.CheckRoom(s.site.ID); err != nil {
		return s.refuse(err)
	}
	return nil
}

func (s *session) senderRules(id string) senderRules {
	r := s.relay
	senders := r.Senders
	if s.site.Senders != nil {
		senders = slices.Concat(senders, s.site.Senders())
	}
	return senderRules{
		site: s.site.ID, host: s.site.Host(), id: id, domain: r.Domain, senders: senders, foreign: r.Foreign, at: r.Now().UTC(),
	}
}

// Rcpt adds a recipient.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if !mailbox(to) {
		return &smtp.SMTPError{Code: 553, EnhancedCode: smtp.EnhancedCode{5, 1, 3}, Message: "This is no mail address"}
	}
	if !slices.ContainsFunc(s.recipients, func(have string) bool { return strings.EqualFold(have, to) }) {
		s.recipients = append(s.recipients, to)
	}
	return nil
}

// Data accepts the message. It returns nil only when the message is durable.
func (s *session) Data(from io.Reader) error {
	lines := newLineReader(from, 0)
	m, err := s.enqueue(lines)
	switch {
	case errors.Is(lines.err, smtp.ErrDataTooLarge):
		return s.refuse(smtp.ErrDataTooLarge)
	case err != nil && lines.err != nil && !errors.Is(lines.err, io.EOF):
		return lines.err // the client went away: nobody is there to be told
	case err != nil:
		return s.refuse(err)
	}
	r := s.relay
	r.report(m)
	r.log.Info("mail accepted", "site", m.Site, "mail", m.ID, "recipients", len(m.Recipients), "bytes", m.Size)
	r.nudge()
	return nil
}

func (s *session) enqueue(lines *lineReader) (m queue.Message, err error) {
	o := s.senderRules(newID(s.relay.Now()))
	reader := bufio.NewReaderSize(lines, 16<<10)
	h, rest, err := readHead(reader)
	if err != nil {
		return m, err
	}
	if h, err = o.rewrite(h); err != nil {
		return m, err
	}
	draft, err := s.relay.queue.Create(queue.Envelope{
		ID: o.id, Site: o.site, Sender: o.bounceAddress(), Recipients: s.recipients, Accepted: o.at,
	})
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, draft.Abort()) }() // nothing after Commit
	if err := (&recoder{from: reader, to: &lineWriter{to: draft}}).message(h, rest); err != nil {
		return m, err
	}
	return draft.Commit()
}

// Reset forgets the recipients.
func (s *session) Reset() { s.recipients = nil }

// Logout has nothing to close.
func (s *session) Logout() error { return nil }

// newID is unique, tells nothing of the site, and sorts by time.
func newID(now time.Time) string {
	var b [14]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16)
	_, _ = rand.Read(b[6:]) // never fails
	return strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}
