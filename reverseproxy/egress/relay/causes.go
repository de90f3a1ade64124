package relay

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"chatiere/reverseproxy/egress/relay/queue"
	"chatiere/reverseproxy/egress/relay/report"
)

// Causes why a mail waits, was given up or was refused, as written in reports.
const (
	CauseSmarthost = "smarthost" // it does not answer, or does not want us
	CauseQuota     = "quota"     // the site has sent what it may in this hour
	CauseHeld      = "held"      // the site's egress is closed
	CauseExpired   = "expired"   // tried for too long
	CauseRefused   = "refused"   // by the smarthost or the recipient's server

	CauseNone    = "none"    // no smarthost is configured
	CauseFull    = "full"    // too much is waiting
	CauseFast    = "fast"    // too many attempts
	CauseForeign = "foreign" // in somebody else's name
	CauseContent = "content" // too large, or no mail at all
	CauseDisk    = "disk"    // no room, or no way to write
)

// report reports the state of a mail.
func (r *Relay) report(m queue.Message) {
	for i, o := range m.Outcomes {
		e := report.Entry{
			ID: m.ID + "." + strconv.Itoa(i), Site: m.Site, To: Mask(m.Recipients[i]), State: string(o.State),
			Cause: o.Cause, Code: o.Code, Said: o.Said, Count: m.Attempts, Accepted: m.Accepted, Changed: o.Changed,
		}
		if !o.State.Final() {
			e.Next = m.Next
		}
		r.reports.Add(e)
	}
}

// refusal is the key by which refused mails are counted: a site that tries very often
// makes one entry an hour.
type refusal struct {
	site, cause string
	hour        int64
}

type refusalLog struct {
	mu      sync.Mutex
	entries map[refusal]report.Entry
}

// reportRefused reports a refused mail.
func (r *Relay) reportRefused(site, cause string) {
	if r.reports == nil {
		return
	}
	now := r.Now().UTC()
	key := refusal{site, cause, now.Unix() / 3600}
	r.refused.mu.Lock()
	defer r.refused.mu.Unlock()
	for old := range r.refused.entries {
		if old.hour != key.hour {
			delete(r.refused.entries, old)
		}
	}
	e, ok := r.refused.entries[key]
	if !ok {
		// The nanoseconds distinguish it from the entry of a gateway that was restarted within the hour.
		e = report.Entry{
			ID: fmt.Sprintf("r%s.%s.%s", strconv.FormatInt(now.UnixNano(), 36), site, cause), Site: site, State: report.Refused,
			Cause: cause, Accepted: now,
		}
	}
	e.Count++
	e.Changed = now
	r.refused.entries[key] = e
	r.reports.Add(e)
}

// hour is the beginning of the hour that an instant lies in.
func hour(at time.Time) time.Time { return at.UTC().Truncate(time.Hour) }
