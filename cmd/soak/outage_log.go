package main

import (
	"sync"
	"time"
)

// What may be out of reach, as far as visitors are concerned.
const (
	sitesDatabase = "mariadb-sites"
	fullDisk      = "full disk"
)

// outageMargin is how long after its end an outage still excuses: the time in which PHP's next connection finds the database.
const outageMargin = time.Second

// outageLog records what was unreachable, and when.
type outageLog struct {
	mu      sync.Mutex
	outages []outage
}

type outage struct {
	what     string
	from, to time.Time // to is zero while it lasts
}

// begin records that something is unreachable from now on, and returns the function that ends it.
func (j *outageLog) begin(what string) (end func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := len(j.outages)
	j.outages = append(j.outages, outage{what: what, from: time.Now()})
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.outages[n].to = time.Now()
	}
}

// excuses says what excused a request that needed any of the things: the first that was out of reach while it lasted.
func (j *outageLog) excuses(from, to time.Time, needs []string) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, o := range j.outages {
		for _, need := range needs {
			if o.what == need && to.After(o.from) && (o.to.IsZero() || from.Before(o.to.Add(outageMargin))) {
				return need
			}
		}
	}
	return ""
}

// total is how long something was out of reach, margins left out.
func (j *outageLog) total(what string) (n int, all time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, o := range j.outages {
		if o.what == what && !o.to.IsZero() {
			n++
			all += o.to.Sub(o.from)
		}
	}
	return n, all
}
