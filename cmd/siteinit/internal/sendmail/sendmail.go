// Package sendmail is the command of that name, as programs have called it for
// forty years: a message on standard input, submitted by SMTP to the site's mail
// port. It keeps nothing: what the mail port does not take has failed, and the
// caller is told. Start at [Run].
package sendmail

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Exit codes, from sysexits.h.
const (
	OK          = 0
	Usage       = 64 // an option that is none
	DataErr     = 65 // no recipient, or one that is no address
	NoUser      = 67 // no recipient was taken
	Unavailable = 69 // the mail port refused the mail, or is away
	IOErr       = 74 // the message could not be read
	NoPerm      = 77 // not from this sender
)

// Options is what the command finds around it.
type Options struct {
	Args   []string // without the name of the program
	Socket string   // the site's mail port; "" means Port
	Port   string   // "127.0.0.1:25"
	Host   string   // the site's own name, for senders without one
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
}

// limit is how long one mail may take altogether. PHP waits for it.
const limit = 5 * time.Minute

// Run sends what is on standard input and returns an exit code. Temporary
// refusals are final, too: the usual code for "later" means that the mail is
// queued here, and PHP takes it for a success.
func Run(ctx context.Context, o Options) int {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	call, err := parse(o.Args)
	if err != nil {
		_, _ = fmt.Fprintln(o.Stderr, "sendmail:", err)
		return Usage
	}
	if call.nothing {
		return OK
	}
	if call.protocol {
		err = o.speak(ctx)
	} else {
		err = o.send(ctx, call)
	}
	if err != nil {
		_, _ = fmt.Fprintln(o.Stderr, "sendmail:", err)
	}
	return codeOf(err)
}

var (
	errUsage     = errors.New("unknown option")
	errRecipient = errors.New("no recipient")
	errRead      = errors.New("reading the message")
	errAway      = errors.New("mail port not reachable")
)

func codeOf(err error) int {
	var told *refusal
	switch {
	case err == nil:
		return OK
	case errors.Is(err, errRecipient):
		return DataErr
	case errors.Is(err, errRead):
		return IOErr
	case !errors.As(err, &told):
		return Unavailable
	case told.step == stepSender && told.code/100 == 5 && told.code != noRelay:
		return NoPerm
	case told.step == stepRecipient:
		return NoUser
	}
	return Unavailable
}

// noRelay is the answer of a platform that sends no mail.
const noRelay = 554

func (o Options) dial(ctx context.Context) (net.Conn, error) {
	network, address := "unix", o.Socket
	if address == "" {
		network, address = "tcp", o.Port
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errAway, err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		err = conn.SetDeadline(deadline)
	}
	return conn, err
}

func (o Options) send(ctx context.Context, c call) error {
	message := newReader(o.Stdin, c.dots)
	head, err := readHead(message)
	if err != nil {
		return fmt.Errorf("%w: %w", errRead, err)
	}
	recipients := c.recipients
	if c.fromHeader {
		recipients = append(recipients, head.recipients()...)
	}
	if len(recipients) == 0 {
		return errRecipient
	}
	conn, err := o.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return submit(conn, envelope{o.host(), qualified(c.sender, o.host()), recipients}, head.without(c), message)
}

func (o Options) host() string {
	if o.Host == "" {
		return "localhost"
	}
	return o.Host
}

// speak lets the caller speak SMTP itself (-bs), as some mail libraries do.
func (o Options) speak(ctx context.Context) error {
	conn, err := o.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	go func() {
		_, _ = io.Copy(conn, o.Stdin)
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	}()
	if _, err := io.Copy(o.Stdout, conn); err != nil {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	return nil
}

// newReader ends at a line with a single dot, if it is to.
func newReader(from io.Reader, dots bool) *bufio.Reader {
	reader := bufio.NewReaderSize(from, 16<<10)
	if dots {
		return bufio.NewReaderSize(&dotted{from: reader, begin: true}, 16<<10)
	}
	return reader
}

// dotted reads up to a line with a single dot.
type dotted struct {
	from  *bufio.Reader
	begin bool // of a line
	ended bool
}

// Read looks at whole lines, or as much of one as fits.
func (d *dotted) Read(p []byte) (int, error) {
	if d.ended {
		return 0, io.EOF
	}
	if d.begin {
		if next, _ := d.from.Peek(3); len(next) > 0 && next[0] == '.' &&
			(len(next) == 1 || next[1] == '\n' || len(next) == 3 && next[1] == '\r' && next[2] == '\n') {
			d.ended = true
			return 0, io.EOF
		}
	}
	n := 0
	for n < len(p) {
		c, err := d.from.ReadByte()
		if err != nil {
			d.ended = true
			return n, err
		}
		p[n] = c
		n++
		if d.begin = c == '\n'; d.begin {
			break
		}
	}
	return n, nil
}
