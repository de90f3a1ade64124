package tenants

import "time"

// Try is how often a site tried to reach one port of one name, summed over some time, and what became of it.
type Try struct {
	SiteID   string
	Name     string // empty: names too many to keep apart, or requests that could not be read
	Port     int    // 0: refused already when the name was looked up
	Decision TryDecision
	Reason   string // why not, the last time; empty when it was reached
	Count    int64
	Sent     int64 // bytes
	Received int64 // bytes
	First    time.Time
	Last     time.Time
}

// TryDecision says what became of a try.
type TryDecision string

// What may become of a try.
const (
	TryAllowed TryDecision = "allowed"
	TryRefused TryDecision = "refused"
	TryFailed  TryDecision = "failed" // allowed, but the server could not be reached
)

// TryMemory is how long tries can be looked at.
const TryMemory = 30 * 24 * time.Hour

// Outflow is how much a site did with its way out in one hour.
type Outflow struct {
	Hour    time.Time // its beginning, UTC
	Tries   int64
	Refused int64
	Bytes   int64 // both ways together
}
