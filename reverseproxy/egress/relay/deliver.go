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

// delivery is the result of one attempt.
type delivery struct {
	mail    string
	fault   error // of the smarthost; nil if it took or refused the mail
	aborted bool  // we are being stopped
}

// outcome is the result of one attempt for one recipient.
type outcome struct {
	state queue.State
	cause string
	code  int
	reply string
}

// record is the outcome as it is kept. What gives up after many tries keeps the
// words of the last one.
func (o outcome) record(now time.Time, last queue.Outcome) queue.Outcome {
	out := queue.Outcome{State: o.state, Cause: o.cause, Code: o.code, Said: o.reply, Changed: now.UTC()}
	if o.cause == CauseExpired && o.reply == "" {
		out.Code, out.Said = last.Code, last.Said
	}
	return out
}

// deliver attempts a mail once, for all open recipients.
func (r *Relay) deliver(ctx context.Context, m queue.Message) delivery {
	open := m.Open()
	results, fault := r.attempt(ctx, m, open)
	d := delivery{mail: m.ID, fault: fault, aborted: ctx.Err() != nil}
	if d.aborted && fault != nil {
		r.quota.release(m.Site, len(open))
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
		m.Outcomes[i] = o.record(now, m.Outcomes[i])
	}
	r.quota.release(m.Site, unused)
	m.Attempts++
	m.Next = now.Add(r.Retry[min(m.Attempts, len(r.Retry))-1])
	if fault {
		m.Next = now // the pause of everything holds it, and others come first
	}
	r.conclude(m)
}

// conclude saves a mail's new state and reports it.
func (r *Relay) conclude(m queue.Message) {
	if err := r.queue.Save(m); err != nil {
		// It holds until we end; a successor would send once more rather than never.
		r.log.Error("keeping state of a mail", "site", m.Site, "mail", m.ID, "error", err)
		r.queue.Update(m)
	}
	for i, o := range m.Outcomes {
		r.log.Info("mail "+string(o.State), "site", m.Site, "mail", m.ID, "to", Mask(m.Recipients[i]), "code", o.Code, "cause", o.Cause)
	}
	r.report(m)
	if m.Final() {
		r.finish(m)
	}
}

// attempt speaks with the smarthost. There is an outcome for each recipient,
// whatever happens. A fault is one of the smarthost before it has heard anything
// of this mail; later ones are this mail's, or one that makes the smarthost
// stumble would hold up all others.
func (r *Relay) attempt(ctx context.Context, m queue.Message, open []int) (results []outcome, fault error) {
	results = make([]outcome, len(open))
	fill(results, outcome{state: queue.Deferred, cause: CauseSmarthost}) // should it panic
	defer recovery.Log(r.log, "sending mail")
	client, err := r.Smarthost.connect(ctx, r.Domain)
	if err != nil {
		fill(results, outcomeOf(err, CauseSmarthost))
		return results, err
	}
	defer func() { _ = client.Close() }()
	defer context.AfterFunc(ctx, func() { _ = client.Close() })()
	err = client.Mail(m.Sender, &smtp.MailOptions{Size: m.Size})
	switch o := outcomeOf(err, CauseSmarthost); {
	case err == nil:
	case o.code == replyTooLarge:
		fill(results, outcome{queue.Bounced, CauseRefused, o.code, o.reply})
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

// replyTooLarge is the reply code for a mail that is too large for the server.
const replyTooLarge = 552

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
		results[n] = outcomeOf(err, CauseRefused)
		if connBroken(err) {
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
	o := outcome{state: queue.Sent, code: 250, reply: masked(said)}
	if err != nil {
		o = outcomeOf(err, CauseRefused)
	}
	for _, n := range taken {
		results[n] = o
	}
	return !connBroken(err)
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

// outcomeOf returns the outcome for an error. Only the server's own reply is shown to
// the site: other errors would reveal the co-op's network.
func outcomeOf(err error, cause string) outcome {
	var reply *smtp.SMTPError
	if !errors.As(err, &reply) {
		return outcome{state: queue.Deferred, cause: CauseSmarthost}
	}
	enhanced := ""
	if reply.EnhancedCode[0] > 0 {
		enhanced = fmt.Sprintf("%d.%d.%d ", reply.EnhancedCode[0], reply.EnhancedCode[1], reply.EnhancedCode[2])
	}
	o := outcome{queue.Bounced, cause, reply.Code, masked(enhanced + reply.Message)}
	if reply.Temporary() || cause == CauseSmarthost {
		o.state = queue.Deferred
	}
	return o
}

// connBroken reports whether a connection cannot be used any more.
func connBroken(err error) bool {
	var reply *smtp.SMTPError
	return err != nil && (!errors.As(err, &reply) || reply.Code == replyClosing)
}

// replyClosing is the reply code of a server that closes the connection.
const replyClosing = 421

func fill(results []outcome, with outcome) {
	for n := range results {
		results[n] = with
	}
}
