package queue

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Envelope is what was accepted, the first line of a message's file.
type Envelope struct {
	ID         string    `json:"id"`
	Site       string    `json:"site"`
	Sender     string    `json:"sender"`
	Recipients []string  `json:"recipients"`
	Accepted   time.Time `json:"accepted"`
}

// State is how far a message is for one recipient.
type State string

// The states. The last two are final.
const (
	Waiting  State = "waiting"
	Deferred State = "deferred" // tried, and will be tried again
	Sent     State = "sent"     // the smarthost has it
	Bounced  State = "bounced"  // given up
)

// Final tells whether nothing more will happen.
func (s State) Final() bool { return s == Sent || s == Bounced }

// Outcome is what became of a message for one recipient so far.
type Outcome struct {
	State   State     `json:"state"`
	Cause   string    `json:"cause,omitempty"` // why it waits or was given up, from the relay's list
	Code    int       `json:"code,omitempty"`  // the smarthost's
	Said    string    `json:"said,omitempty"`  // the smarthost's words
	Changed time.Time `json:"changed"`
}

// Message is one that waits. Outcomes go with Recipients, one each.
type Message struct {
	Envelope
	Size int64 // of its file
	Progress
}

// Progress is what changes, the content of a message's second file.
type Progress struct {
	Attempts int       `json:"attempts"`
	Next     time.Time `json:"next"` // not to be tried before
	Outcomes []Outcome `json:"outcomes"`
}

func (m *Message) clone() Message {
	c := *m
	c.Recipients = slices.Clone(m.Recipients)
	c.Outcomes = slices.Clone(m.Outcomes)
	return c
}

// Final tells whether nothing is left to do.
func (m *Message) Final() bool {
	return !slices.ContainsFunc(m.Outcomes, func(o Outcome) bool { return !o.State.Final() })
}

// Open returns the places of the recipients that are not served yet.
func (m *Message) Open() []int {
	var open []int
	for i, o := range m.Outcomes {
		if !o.State.Final() {
			open = append(open, i)
		}
	}
	return open
}

func newMessage(e Envelope) Message {
	m := Message{Envelope: e, Progress: Progress{Next: e.Accepted}}
	for range e.Recipients {
		m.Outcomes = append(m.Outcomes, Outcome{State: Waiting, Changed: e.Accepted})
	}
	return m
}

const (
	maxEnvelope   = 1 << 20
	maxRecipients = 1000
	maxAddress    = 320
)

var (
	idForm   = regexp.MustCompile(`^[a-z0-9]{8,40}$`)
	siteForm = regexp.MustCompile(`^s[a-z0-9]{9}$`)
)

// ParseEnvelope reads the first line of a message's file.
func ParseEnvelope(line []byte) (Envelope, error) {
	var e Envelope
	if err := json.Unmarshal(line, &e); err != nil {
		return Envelope{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if !idForm.MatchString(e.ID) || !siteForm.MatchString(e.Site) || e.Accepted.IsZero() ||
		len(e.Recipients) == 0 || len(e.Recipients) > maxRecipients || !printable(e.Sender) ||
		slices.ContainsFunc(e.Recipients, func(r string) bool { return r == "" || !printable(r) }) {
		return Envelope{}, fmt.Errorf("%w: envelope", ErrDamaged)
	}
	return e, nil
}

// printable tells whether a text can stand in a line of SMTP.
func printable(address string) bool {
	return len(address) <= maxAddress && !bytes.ContainsFunc([]byte(address), func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// ParseProgress reads a message's second file; recipients is how many it must tell of.
func ParseProgress(text []byte, recipients int) (Progress, error) {
	var p Progress
	if err := json.Unmarshal(text, &p); err != nil {
		return Progress{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if len(p.Outcomes) != recipients || p.Attempts < 0 {
		return Progress{}, fmt.Errorf("%w: %d outcomes for %d recipients", ErrDamaged, len(p.Outcomes), recipients)
	}
	for _, o := range p.Outcomes {
		if !slices.Contains([]State{Waiting, Deferred, Sent, Bounced}, o.State) {
			return Progress{}, fmt.Errorf("%w: state %q", ErrDamaged, o.State)
		}
	}
	return p, nil
}
