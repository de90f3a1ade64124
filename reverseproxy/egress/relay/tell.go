package relay

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"chatiere/reverseproxy/egress/relay/queue"
	"chatiere/reverseproxy/egress/relay/report"
)

// Causes are why a mail waits, was given up or was not taken, as told in reports.
const (
	CauseSmarthost = "smarthost" // it does not answer, or does not want us
	CauseQuota     = "quota"     // the site has sent what it may in this hour
	CauseHeld      = "held"      // the site's way out is closed
	CauseExpired   = "expired"   // tried for too long
	CauseRefused   = "refused"   // by the smarthost or the recipient's server

	CauseNone    = "none"    // no smarthost is configured
	CauseFull    = "full"    // too much is waiting
	CauseFast    = "fast"    // too many attempts
	CauseForeign = "foreign" // in somebody else's name
	CauseContent = "content" // too large, or no mail at all
	CauseDisk    = "disk"    // no room, or no way to write
)

// tell reports how things stand with a mail.
func (r *Relay) tell(m queue.Message) {
	for i, o := range m.Outcomes {
		e := report.Entry{
			ID: m.ID + "." + strconv.Itoa(i), Site: m.Site, To: Mask(m.Recipients[i]), State: string(o.State),
			Cause: o.Cause, Code: o.Code, Said: o.Said, Count: m.Attempts, Accepted: m.Accepted, Changed: o.Changed,
		}
		if !o.State.Final() {
			e.Next = m.Next
		}
		r.report.Add(e)
	}
}

// refusal is what refused mails are summed by: a site that tries very often
// makes one entry an hour.
type refusal struct {
	site, cause string
	hour        int64
}

type refusals struct {
	mu   sync.Mutex
	seen map[refusal]report.Entry
}

// tellRefused reports a mail that was not taken.
func (r *Relay) tellRefused(site, cause string) {
	if r.report == nil {
		return
	}
	now := r.Now().UTC()
	key := refusal{site, cause, now.Unix() / 3600}
	r.refuse.mu.Lock()
	defer r.refuse.mu.Unlock()
	for old := range r.refuse.seen {
		if old.hour != key.hour {
			delete(r.refuse.seen, old)
		}
	}
	e, ok := r.refuse.seen[key]
	if !ok {
		// The nanoseconds tell it from the entry of a gateway that was restarted within the hour.
		e = report.Entry{
			ID: fmt.Sprintf("r%s.%s.%s", strconv.FormatInt(now.UnixNano(), 36), site, cause), Site: site, State: report.Refused,
			Cause: cause, Accepted: now,
		}
	}
	e.Count++
	e.Changed = now
	r.refuse.seen[key] = e
	r.report.Add(e)
}

// hour is the beginning of the hour that an instant lies in.
func hour(at time.Time) time.Time { return at.UTC().Truncate(time.Hour) }
