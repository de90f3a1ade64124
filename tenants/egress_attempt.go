package tenants

import "time"

// EgressAttempt counts a site's attempts to reach one port of one name with one outcome over some time.
type EgressAttempt struct {
	SiteID   string
	Name     string // empty: names too many to keep apart, or requests that could not be read
	Port     int    // 0: refused already when the name was looked up
	Decision EgressDecision
	Reason   string // why not, the last time; empty when it was reached
	Count    int64
	Sent     int64 // bytes
	Received int64 // bytes
	First    time.Time
	Last     time.Time
}

// EgressDecision is the outcome of an attempt.
type EgressDecision string

// The outcomes.
const (
	EgressAllowed EgressDecision = "allowed"
	EgressRefused EgressDecision = "refused"
	EgressFailed  EgressDecision = "failed" // allowed, but the server could not be reached
)

// AttemptRetention is how long attempts are stored.
const AttemptRetention = 30 * 24 * time.Hour

// HourlyEgress is a site's egress in one hour.
type HourlyEgress struct {
	Hour     time.Time // its beginning, UTC
	Attempts int64
	Refused  int64
	Bytes    int64 // both ways together
}
