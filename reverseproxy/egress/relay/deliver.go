package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emersion/go-smtp"

	"chatiere/reverseproxy/egress/relay/queue"
	"chatiere/reverseproxy/recovery"
)

// delivery is how one try went.
type delivery struct {
	mail    string
	fault   error // of the smarthost; nil if it took or refused the mail
	aborted bool  // we are being stopped
}

// outcome is what one try meant for a recipient.
type outcome struct {
	state queue.State
	cause string
	code  int
	said  string
}

// at is the outcome as it is kept. What gives up after many tries keeps the
// words of the last one.
func (o outcome) at(now time.Time, last queue.Outcome) queue.Outcome {
	out := queue.Outcome{State: o.state, Cause: o.cause, Code: o.code, Said: o.said, Changed: now.UTC()}
	if o.cause == CauseExpired && o.said == "" {
		out.Code, out.Said = last.Code, last.Said
	}
	return out
}

// deliver tries a mail once, for everybody it is still open for.
func (r *Relay) deliver(ctx context.Context, m queue.Message) delivery {
	open := m.Open()
	results, fault := r.try(ctx, m, open)
	d := delivery{mail: m.ID, fault: fault, aborted: ctx.Err() != nil}
	if d.aborted && fault != nil {
		r.quota.giveBack(m.Site, len(open))
		return d // as if it had not been tried
	}
	r.record(m, open, results, fault != nil)
	return d
}

// record keeps what a try came to. A mail that is too old is given up.
func (r *Relay) record(m queue.Message, open []int, results []outcome, fault bool) {
	now := r.Now()
	expired := now.Sub(m.Accepted) > r.Expire
	unused := 0
	for n, i := range open {
		o := results[n]
		if o.state == queue.Deferred {
			unused++
			if expired {
				o.state, o.cause = queue.Bounced, CauseExpired
			}
		}
		m.Outcomes[i] = o.at(now, m.Outcomes[i])
	}
	r.quota.giveBack(m.Site, unused)
	m.Attempts++
	m.Next = now.Add(r.Retry[min(m.Attempts, len(r.Retry))-1])
	if fault {
		m.Next = now // the pause of everything holds it, and others come first
	}
	r.conclude(m)
}

// conclude makes a mail's new state durable and tells it.
func (r *Relay) conclude(m queue.Message) {
	if err := r.queue.Save(m); err != nil {
		// It holds until we end; a successor would send once more rather than never.
		r.log.Error("keeping state of a mail", "site", m.Site, "mail", m.ID, "error", err)
		r.queue.Note(m)
	}
	for i, o := range m.Outcomes {
		r.log.Info("mail "+string(o.State), "site", m.Site, "mail", m.ID, "to", Mask(m.Recipients[i]), "code", o.Code, "cause", o.Cause)
	}
	r.tell(m)
	if m.Final() {
		r.finish(m)
	}
}

// try speaks with the smarthost. There is an outcome for each recipient,
// whatever happens. A fault is one of the smarthost before it has heard anything
// of this mail; later ones are this mail's, or one that makes the smarthost
// stumble would hold up all others.
func (r *Relay) try(ctx context.Context, m queue.Message, open []int) (results []outcome, fault error) {
	results = make([]outcome, len(open))
	fill(results, outcome{state: queue.Deferred, cause: CauseSmarthost}) // should it panic
	defer recovery.Log(r.log, "sending mail")
	client, err := r.Smarthost.connect(ctx, r.Domain)
	if err != nil {
		fill(results, judge(err, CauseSmarthost))
		return results, err
	}
	defer func() { _ = client.Close() }()
	defer context.AfterFunc(ctx, func() { _ = client.Close() })()
	err = client.Mail(m.Sender, &smtp.MailOptions{Size: m.Size})
	switch o := judge(err, CauseSmarthost); {
	case err == nil:
	case o.code == tooLarge:
		fill(results, outcome{queue.Bounced, CauseRefused, o.code, o.said})
		return results, nil
	default:
		// The sender is always ours: this mail is not to blame.
		o.state = queue.Deferred
		fill(results, o)
		return results, fmt.Errorf("%w: refusing our sender: %w", ErrSmarthost, err)
	}
	if r.transact(client, m, open, results) {
		_ = client.Quit()
	}
	return results, nil
}

// tooLarge is the answer to a mail that is larger than a server takes.
const tooLarge = 552

// transact hands over the mail for those recipients that are taken. It tells
// whether the connection is whole.
func (r *Relay) transact(client *smtp.Client, m queue.Message, open []int, results []outcome) bool {
	var taken []int
	for n, i := range open {
		err := client.Rcpt(m.Recipients[i], nil)
		if err == nil {
			taken = append(taken, n)
			continue
		}
		results[n] = judge(err, CauseRefused)
		if broken(err) {
			fill(results[n:], results[n])
			for _, n := range taken {
				results[n] = outcome{state: queue.Deferred, cause: CauseSmarthost}
			}
			return false
		}
	}
	if len(taken) == 0 {
		return true
	}
	said, err := r.data(client, m)
	o := outcome{state: queue.Sent, code: 250, said: masked(said)}
	if err != nil {
		o = judge(err, CauseRefused)
	}
	for _, n := range taken {
		results[n] = o
	}
	return !broken(err)
}

func (r *Relay) data(client *smtp.Client, m queue.Message) (said string, err error) {
	text, err := r.queue.Text(m)
	if err != nil {
		return "", err
	}
	defer func() { _ = text.Close() }()
	writer, err := client.Data()
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(writer, text); err != nil {
		return "", fmt.Errorf("%w: sending: %w", ErrSmarthost, err) // without its end: nothing is sent
	}
	answer, err := writer.CloseWithResponse()
	if err != nil {
		return "", err
	}
	return answer.StatusText, nil
}

// judge makes an outcome of an error. Only what the server said itself is told
// to the site: other words would tell of the co-op's network.
func judge(err error, cause string) outcome {
	var told *smtp.SMTPError
	if !errors.As(err, &told) {
		return outcome{state: queue.Deferred, cause: CauseSmarthost}
	}
	enhanced := ""
	if told.EnhancedCode[0] > 0 {
		enhanced = fmt.Sprintf("%d.%d.%d ", told.EnhancedCode[0], told.EnhancedCode[1], told.EnhancedCode[2])
	}
	o := outcome{queue.Bounced, cause, told.Code, masked(enhanced + told.Message)}
	if told.Temporary() || cause == CauseSmarthost {
		o.state = queue.Deferred
	}
	return o
}

// broken tells whether a connection cannot be used any more.
func broken(err error) bool {
	var told *smtp.SMTPError
	return err != nil && (!errors.As(err, &told) || told.Code == closing)
}

// closing is the answer of a server that hangs up.
const closing = 421

func fill(results []outcome, with outcome) {
	for n := range results {
		results[n] = with
	}
}
