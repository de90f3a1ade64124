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
	maxAtOnce     = 4 // mails being sent
	maxAtOncePer  = 2 // of one site
	longestAsleep = 2 * time.Second
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
		s.rest(ctx)
	}
	go func() { wait.Wait(); close(s.done) }()
	for d := range s.done {
		s.settle(d)
	}
}

type schedule struct {
	*Relay
	busy   map[string]string // site by mail
	done   chan delivery
	pause  time.Time // nothing is tried before
	faults int       // of the smarthost, one after the other
}

// rest waits for something to do.
func (s *schedule) rest(ctx context.Context) {
	timer := time.NewTimer(s.asleep())
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-s.wake:
	case <-timer.C:
	case d := <-s.done:
		s.settle(d)
	}
}

// asleep is how long nothing becomes due. It is bounded, since the clock may be set.
func (s *schedule) asleep() time.Duration {
	now, least := s.Now(), longestAsleep
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

// choose returns what may be sent now, and marks what must wait for a reason.
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
		if s.busy[m.ID] != "" || m.Final() || m.Next.After(now) || perSite[m.Site] >= maxAtOncePer || !s.may(m, open[m.Site]) {
			continue
		}
		perSite[m.Site]++
		chosen = append(chosen, m)
	}
	return chosen
}

// may decides by the site's hold and quota. What it takes from the quota is
// given back as far as it was not used.
func (s *schedule) may(m queue.Message, open bool) bool {
	now := s.Now()
	switch {
	case !open && now.Sub(m.Accepted) > s.Expire:
		s.close(m, outcome{state: queue.Bounced, cause: CauseExpired}, now)
	case !open:
		if m.Outcomes[m.Open()[0]].Cause != CauseHeld {
			s.put(m, CauseHeld, m.Next) // as soon as the site is open again
		}
	case !s.quota.take(m.Site, len(m.Open())):
		s.put(m, CauseQuota, hour(now).Add(time.Hour))
	default:
		return true
	}
	return false
}

// put lets a mail wait for a cause of ours. It is told, and not written down: a
// restart finds it out again.
func (s *schedule) put(m queue.Message, cause string, until time.Time) {
	m.Next = until
	for _, i := range m.Open() {
		if m.Outcomes[i].Cause != cause {
			m.Outcomes[i].Cause, m.Outcomes[i].Changed = cause, s.Now().UTC()
		}
	}
	s.queue.Note(m)
	s.tell(m)
}

// close ends a mail for everybody it is still open for.
func (r *Relay) close(m queue.Message, o outcome, now time.Time) {
	for _, i := range m.Open() {
		m.Outcomes[i] = o.at(now, m.Outcomes[i])
	}
	r.conclude(m)
}

// settle takes back a delivery, and slows down while the smarthost is at fault.
func (s *schedule) settle(d delivery) {
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
