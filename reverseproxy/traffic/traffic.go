// Package traffic counts the requests to each site and writes the counts to a spool directory, which another process
// ingests.
//
// It knows nothing of visitors: no address, name or path ever enters it. Counters live in memory and
// are flushed every few seconds to a new file, which appears whole or not at all. Start reading at
// Counter; Format is the other end.
package traffic

import (
	"time"

	"chatiere/reverseproxy/spoolfile"
)

// Format is what the spool's files look like. A file's name is unique for ever: an ingester that has stored it once must
// not count its records again.
var Format = spoolfile.Format[Record]{
	Prefix:  prefix,
	MaxFile: 16 << 20, // fifty times a file of 1,000 sites
	MaxLine: 1 << 20,
	Valid:   Record.valid,
}

// Record is the traffic of one site between two instants. Byte counts are of bodies, and of both directions of a
// websocket, without headers.
type Record struct {
	From     time.Time         `json:"from"`
	To       time.Time         `json:"to"`
	Site     string            `json:"site"`
	Requests uint64            `json:"requests"`
	BytesIn  uint64            `json:"bytes_in"`
	BytesOut uint64            `json:"bytes_out"`
	Status   map[string]uint64 `json:"status"`
	Codes    map[string]uint64 `json:"codes,omitempty"`
}

// Bounds of a record that a Counter may have written.
const (
	maxSite  = 64
	maxSpan  = 366 * 24 * time.Hour // a proxy may have been stopped, or its clock set
	maxCount = 1 << 53              // exact in JSON, and far from the end of a column
	maxKeys  = 1000
)

var first, last = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

func (r Record) valid() bool {
	if !validSite(r.Site) || r.From.Before(first) || r.To.After(last) || r.To.Before(r.From) || r.To.Sub(r.From) > maxSpan {
		return false
	}
	if len(r.Status)+len(r.Codes) > maxKeys {
		return false
	}
	for _, n := range r.Status {
		if n > maxCount {
			return false
		}
	}
	for _, n := range r.Codes {
		if n > maxCount {
			return false
		}
	}
	return max(r.Requests, r.BytesIn, r.BytesOut) <= maxCount
}

// validSite holds what a route table may name a site.
func validSite(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= maxSite
}

// add merges other, of the same site, into r.
func (r *Record) add(other Record) {
	if other.From.Before(r.From) {
		r.From = other.From
	}
	if other.To.After(r.To) {
		r.To = other.To
	}
	r.Requests += other.Requests
	r.BytesIn += other.BytesIn
	r.BytesOut += other.BytesOut
	merge(r.Status, other.Status)
	merge(r.Codes, other.Codes)
}

func merge(into, from map[string]uint64) {
	for key, n := range from {
		into[key] += n
	}
}

const (
	prefix = "traffic-"
	suffix = ".jsonl"
)
