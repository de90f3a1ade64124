package relay

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"chatiere/reverseproxy/egress/relay/queue"
	"chatiere/reverseproxy/recovery"
)

const (
	maxAtOnce    = 4 // mails being sent
	maxAtOncePer = 2 // of one site
	maxWait      = 2 * time.Second
)

// schedule chooses what is sent when, until ctx ends. All its state belongs to
// this goroutine; deliveries report back by a channel.
func (r *Relay) schedule(ctx context.Context) {
	s := &schedule{Relay: r, busy: map[string]string{}, done: make(chan delivery)}
	var wait sync.WaitGroup
	for ctx.Err() == nil {
		for _, m := range s.choose() {
			s.busy[m.ID] = m.Site
			wait.Go(func() {
				d := delivery{mail: m.ID, fault: recovery.ErrPanic} // unless it comes back
				defer func() { s.done <- d }()
				defer recovery.Log(r.log, "delivering mail")
				d = r.deliver(ctx, m)
			})
		}
		s.wait(ctx)
	}
	go func() { wait.Wait(); close(s.done) }()
	for d := range s.done {
		s.finishDelivery(d)
	}
}

type schedule struct {
	*Relay
	busy   map[string]string // site by mail
	done   chan delivery
	pause  time.Time // nothing is tried before
	faults int       // of the smarthost, one after the other
}

// wait waits until there is something to do.
func (s *schedule) wait(ctx context.Context) {
	timer := time.NewTimer(s.untilDue())
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-s.wake:
	case <-timer.C:
	case d := <-s.done:
		s.finishDelivery(d)
	}
}

// untilDue returns the time until a mail is due. It is bounded, since the clock may be set.
func (s *schedule) untilDue() time.Duration {
	now, least := s.Now(), maxWait
	if s.pause.After(now) {
		return min(least, s.pause.Sub(now))
	}
	for _, m := range s.queue.Messages() {
		if s.busy[m.ID] == "" && !m.Final() && m.Next.After(now) {
			least = min(least, m.Next.Sub(now))
		}
	}
	return least
}

// choose returns the mails to send now, and records why others must wait.
func (s *schedule) choose() []queue.Message {
	now := s.Now()
	places := maxAtOnce - len(s.busy)
	if s.faults > 0 {
		places = 1 - len(s.busy) // one mail finds out for all
	}
	if places <= 0 || s.pause.After(now) {
		return nil
	}
	open, perSite := s.sites(), map[string]int{}
	for _, site := range s.busy {
		perSite[site]++
	}
	due := s.queue.Messages()
	slices.SortStableFunc(due, func(a, b queue.Message) int { return cmp.Compare(a.Next.UnixNano(), b.Next.UnixNano()) })
	var chosen []queue.Message
	for _, m := range due {
		if len(chosen) == places {
			break
		}
		if s.busy[m.ID] != "" || m.Final() || m.Next.After(now) || perSite[m.Site] >= maxAtOncePer || !s.maySend(m, open[m.Site]) {
			continue
		}
		perSite[m.Site]++
		chosen = append(chosen, m)
	}
	return chosen
}

// maySend checks the site's hold and quota. Unused quota is released after delivery.
func (s *schedule) maySend(m queue.Message, open bool) bool {
	now := s.Now()
	switch {
	case !open && now.Sub(m.Accepted) > s.Expire:
		s.close(m, outcome{state: queue.Bounced, cause: CauseExpired}, now)
	case !open:
		if m.Outcomes[m.Open()[0]].Cause != CauseHeld {
			s.postpone(m, CauseHeld, m.Next) // as soon as the site is open again
		}
	case !s.quota.take(m.Site, len(m.Open())):
		s.postpone(m, CauseQuota, hour(now).Add(time.Hour))
	default:
		return true
	}
	return false
}

// postpone makes a mail wait for a cause on our side. This is reported but not saved:
// after a restart it is determined again.
func (s *schedule) postpone(m queue.Message, cause string, until time.Time) {
	m.Next = until
	for _, i := range m.Open() {
		if m.Outcomes[i].Cause != cause {
			m.Outcomes[i].Cause, m.Outcomes[i].Changed = cause, s.Now().UTC()
		}
	}
	s.queue.Update(m)
	s.report(m)
}

// close finishes a mail for all open recipients.
func (r *Relay) close(m queue.Message, o outcome, now time.Time) {
	for _, i := range m.Open() {
		m.Outcomes[i] = o.record(now, m.Outcomes[i])
	}
	r.conclude(m)
}

// finishDelivery processes a finished delivery, and backs off while the smarthost
// fails.
func (s *schedule) finishDelivery(d delivery) {
	delete(s.busy, d.mail)
	switch {
	case d.fault == nil:
		if s.faults > 0 {
			s.log.Info("the smarthost takes mail again", "smarthost", s.Smarthost.Address())
		}
		s.faults, s.pause = 0, time.Time{}
	case d.aborted:
	default:
		if s.faults == 0 {
			s.log.Error("the smarthost does not take mail, trying again", "smarthost", s.Smarthost.Address(), "error", d.fault)
		}
		s.pause = s.Now().Add(s.Pauses[min(s.faults, len(s.Pauses)-1)])
		s.faults++
	}
}
