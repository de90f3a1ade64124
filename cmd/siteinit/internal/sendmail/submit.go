package sendmail

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
)

// step is where in the conversation a refusal came.
type step string

const (
	stepGreeting  step = "greeting"
	stepSender    step = "sender"
	stepRecipient step = "recipient"
	stepMessage   step = "message"
)

// refusal is an answer of the mail port other than the one hoped for.
type refusal struct {
	step step
	code int
	text string
}

// Error tells what was refused, in the mail port's words.
func (r *refusal) Error() string {
	return fmt.Sprintf("%s refused: %d %s", r.step, r.code, strings.ReplaceAll(r.text, "\n", " "))
}

type envelope struct {
	host       string
	sender     string
	recipients []string
}

// submit has one conversation. A recipient that is refused refuses the mail:
// the caller gets one answer for all of them, and may mend and repeat.
func submit(conn net.Conn, e envelope, head []byte, body io.Reader) error {
	c := &conversation{textproto.NewConn(conn)}
	if err := c.expect(stepGreeting, 220); err != nil {
		return err
	}
	if err := c.say(stepGreeting, 250, "EHLO %s", e.host); err != nil {
		return err
	}
	if err := c.say(stepSender, 250, "MAIL FROM:<%s>", e.sender); err != nil {
		return err
	}
	for _, r := range e.recipients {
		if err := c.say(stepRecipient, 25, "RCPT TO:<%s>", qualified(r, e.host)); err != nil {
			return err
		}
	}
	if err := c.say(stepMessage, 354, "DATA"); err != nil {
		return err
	}
	if err := c.write(head, body); err != nil {
		return err
	}
	if err := c.expect(stepMessage, 250); err != nil {
		return err
	}
	_ = c.say(stepMessage, 221, "QUIT") // the mail is theirs already
	return nil
}

type conversation struct{ *textproto.Conn }

func (c *conversation) say(s step, code int, format string, args ...any) error {
	line := fmt.Sprintf(format, args...)
	if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return &refusal{s, 553, "a line end or another control character in an address"}
	}
	if err := c.PrintfLine("%s", line); err != nil {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	return c.expect(s, code)
}

func (c *conversation) expect(s step, want int) error {
	code, text, err := c.ReadResponse(want)
	if err == nil {
		return nil
	}
	if code == 0 {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	return &refusal{s, code, text}
}

func (c *conversation) write(head []byte, body io.Reader) error {
	w := c.DotWriter()
	_, err := w.Write(head)
	if err == nil {
		var read error
		if read, err = carry(w, body); read != nil {
			// Without its end the mail is not taken.
			return fmt.Errorf("%w: %w", errRead, read)
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	return nil
}

// carry copies and tells whose fault an end before the end was.
func carry(to io.Writer, from io.Reader) (read, write error) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if _, write = to.Write(buffer[:n]); write != nil {
				return nil, write
			}
		}
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return err, nil
		}
	}
}
