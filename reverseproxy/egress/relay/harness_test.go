package relay_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"chatiere/reverseproxy/egress/relay"
	"chatiere/reverseproxy/egress/relay/report"
)

const (
	siteA  = "saaaaaaaa1"
	siteB  = "sbbbbbbbb2"
	hostA  = "asso.coop.test"
	domain = "coop.test"
)

// mail is one that arrived at the smarthost.
type mail struct {
	from string
	to   []string
	text string
}

// smarthost is a server whose answers the test writes.
type smarthost struct {
	port   int
	mu     sync.Mutex
	mails  []mail
	answer func(step, argument string) error // nil: everything is taken
	proof  *tls.Config                       // nil: no TLS
	secure bool                              // TLS from the first byte, rather than after STARTTLS
	server *smtp.Server
	shut   func()
}

func newSmarthost(t *testing.T) *smarthost {
	t.Helper()
	h := &smarthost{}
	h.open(t, "127.0.0.1:0")
	return h
}

func (h *smarthost) open(t *testing.T, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	h.port = l.Addr().(*net.TCPAddr).Port
	if h.secure {
		l = tls.NewListener(l, h.proof)
	}
	h.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &visit{host: h}, nil }))
	h.server.Domain, h.server.ErrorLog = "smarthost.test", quiet{}
	if !h.secure {
		h.server.TLSConfig = h.proof
	}
	done := make(chan struct{})
	server := h.server
	go func() { defer close(done); _ = server.Serve(l) }()
	h.shut = func() { _ = server.Close(); _ = l.Close(); <-done }
	t.Cleanup(h.shut)
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func (h *smarthost) says(answer func(step, argument string) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = answer
}

func (h *smarthost) ask(step, argument string) error {
	h.mu.Lock()
	answer := h.answer
	h.mu.Unlock()
	if answer == nil {
		return nil
	}
	return answer(step, argument)
}

func (h *smarthost) arrived() []mail {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.mails)
}

type visit struct {
	host *smarthost
	mail mail
}

func (v *visit) Mail(from string, _ *smtp.MailOptions) error {
	v.mail = mail{from: from}
	return v.host.ask("MAIL", from)
}

func (v *visit) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := v.host.ask("RCPT", to); err != nil {
		return err
	}
	v.mail.to = append(v.mail.to, to)
	return nil
}

func (v *visit) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err == nil {
		err = v.host.ask("DATA", string(text))
	}
	if err != nil {
		return err
	}
	v.mail.text = string(text)
	v.host.mu.Lock()
	defer v.host.mu.Unlock()
	v.host.mails = append(v.host.mails, v.mail)
	return nil
}

func (v *visit) Reset()        {}
func (v *visit) Logout() error { return nil }

func no(code int, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: text}
}

// clock is moved by the tests.
type clock struct{ ahead atomic.Int64 }

func (c *clock) Now() time.Time       { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) pass(d time.Duration) { c.ahead.Add(int64(d)) }

// house is a relay with the sockets of two sites.
type house struct {
	t       *testing.T
	dir     string
	clock   *clock
	host    *smarthost
	options relay.Options
	logs    *logBook
	stop    func()

	mu    sync.Mutex
	notes []error
}

func newHouse(t *testing.T, adjust func(*relay.Options)) *house {
	t.Helper()
	dir, err := os.MkdirTemp("", "relay")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	h := &house{t: t, dir: dir, clock: &clock{}, host: newSmarthost(t), logs: &logBook{}}
	h.options = relay.Options{
		Dir: filepath.Join(dir, "mail"), Domain: domain, Now: h.clock.Now, Flush: 5 * time.Millisecond,
		Smarthost: &relay.Smarthost{Host: "127.0.0.1", Port: h.host.port, Encryption: relay.Plain},
		Retry:     []time.Duration{10 * time.Millisecond}, Pauses: []time.Duration{10 * time.Millisecond},
	}
	h.options.Limits.Free = func(string) (int64, error) { return 1 << 40, nil }
	if adjust != nil {
		adjust(&h.options)
	}
	h.start(siteA, siteB)
	return h
}

// start runs a relay with the sockets of these sites.
func (h *house) start(sites ...string) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := relay.Open(h.options, slog.New(slog.NewTextHandler(h.logs, nil)))
	var wait sync.WaitGroup
	wait.Go(func() { r.Run(ctx) })
	for _, site := range sites {
		_ = os.Remove(h.socket(site))
		l, err := net.Listen("unix", h.socket(site))
		if err != nil {
			h.t.Fatal(err)
		}
		wait.Go(func() {
			r.Serve(ctx, l, relay.Site{
				ID: site, Host: func() string { return hostA }, Allow: func() bool { return true },
				Senders: func() []string { return senders[site] },
				Record:  func(cause error) { h.mu.Lock(); defer h.mu.Unlock(); h.notes = append(h.notes, cause) },
			})
		})
	}
	h.stop = sync.OnceFunc(func() { cancel(); wait.Wait() })
	h.t.Cleanup(func() { h.stop() })
}

// senders are domains that one site alone may write from.
var senders = map[string][]string{siteA: {"amap.example"}, siteB: {"chorale.example"}}

func (h *house) socket(site string) string { return filepath.Join(h.dir, site) }

// talk is a site's connection.
type talk struct {
	t *testing.T
	*textproto.Conn
}

func (h *house) talk(site string) *talk {
	h.t.Helper()
	conn, err := net.Dial("unix", h.socket(site))
	if err != nil {
		h.t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	c := &talk{h.t, textproto.NewConn(conn)}
	h.t.Cleanup(func() { _ = c.Close() })
	if code, _ := c.hear(); code != 220 {
		h.t.Fatalf("greeted with %d", code)
	}
	c.say("EHLO site")
	return c
}

func (c *talk) hear() (int, string) {
	c.t.Helper()
	code, text, err := c.ReadResponse(0)
	if err != nil {
		c.t.Fatal(err)
	}
	return code, text
}

func (c *talk) say(line string) (int, string) {
	c.t.Helper()
	if err := c.PrintfLine("%s", line); err != nil {
		c.t.Fatal(err)
	}
	return c.hear()
}

// send has a whole conversation and returns the first answer that is no yes, or the last.
func (h *house) send(site, from string, to []string, text string) (int, string) {
	h.t.Helper()
	c := h.talk(site)
	defer func() { _ = c.Close() }()
	steps := []string{"MAIL FROM:<" + from + ">"}
	for _, r := range to {
		steps = append(steps, "RCPT TO:<"+r+">")
	}
	for _, s := range append(steps, "DATA") {
		if code, said := c.say(s); code >= 400 {
			return code, said
		}
	}
	w := c.DotWriter()
	if _, err := io.WriteString(w, text); err != nil {
		h.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		h.t.Fatal(err)
	}
	return c.hear()
}

const letter = "From: Asso <contact@asso.coop.test>\r\nTo: lea@a.test\r\nSubject: Bonjour\r\n\r\nBonjour Léa\r\n"

// must sends a letter that has to be taken.
func (h *house) must(site string, to ...string) {
	h.t.Helper()
	if code, said := h.send(site, "wordpress@asso.coop.test", to, letter); code != 250 {
		h.t.Fatalf("answered %d %s", code, said)
	}
}

func (h *house) await(what string, met func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !met(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("waited in vain for %s; reports: %v\nlog:\n%s", what, h.reports(), h.logs)
		}
	}
}

// reports are the latest entries, by recipient or cause.
func (h *house) reports() map[string]report.Entry {
	h.t.Helper()
	out := map[string]report.Entry{}
	paths, err := report.Format.Files(relay.ReportDir(h.options.Dir))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			h.t.Fatal(err)
		}
		entries, err := report.Format.Parse(text)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, e := range entries {
			key := e.Site + " " + e.To
			if e.State == report.Refused {
				key = e.Site + " " + e.Cause
			}
			if have, ok := out[key]; !ok || !e.Changed.Before(have.Changed) {
				out[key] = e
			}
		}
	}
	return out
}

// told waits for the report on a mail.
func (h *house) told(site, to, state string) report.Entry {
	h.t.Helper()
	var e report.Entry
	h.await(fmt.Sprintf("%s of %s being %s", to, site, state), func() bool {
		e = h.reports()[site+" "+to]
		return e.State == state
	})
	return e
}

// kept lists the files of the queue that hold mail.
func (h *house) kept() []string {
	h.t.Helper()
	paths, err := filepath.Glob(filepath.Join(h.options.Dir, "queue", "*", "*.mail"))
	if err != nil {
		h.t.Fatal(err)
	}
	return paths
}

type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
