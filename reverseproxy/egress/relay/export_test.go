package relay

import (
	"bufio"
	"io"
	"strings"
	"time"
)

// Origin lets the tests rewrite headers directly.
type Origin struct {
	Site, Host, Domain string
	Senders            []string
	Refuse             bool
}

// Rewrite gives what a message becomes, as it is kept.
func (o Origin) Rewrite(message string) (string, error) {
	rules := senderRules{
		site: o.Site, host: o.Host, id: "0123456789", domain: o.Domain, senders: o.Senders, foreign: Rewrite,
		at: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC),
	}
	if o.Refuse {
		rules.foreign = Refuse
	}
	reader := bufio.NewReader(newLineReader(strings.NewReader(message), 0))
	h, rest, err := readHead(reader)
	if err != nil {
		return "", err
	}
	if h, err = rules.rewrite(h); err != nil {
		return "", err
	}
	var out strings.Builder
	err = (&recoder{from: reader, to: &lineWriter{to: &out}}).message(h, rest)
	return out.String(), err
}

// Lines lets the tests read lines directly.
func Lines(from io.Reader) io.Reader { return newLineReader(from, maxLineBytes) }

// Masked lets the tests mask a server's words.
func Masked(said string) string { return masked(said) }

// Mailbox lets the tests judge addresses.
func Mailbox(address string) bool { return mailbox(address) }
