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

// margin is how long after its end an outage still excuses: the time in which PHP's next connection finds the database.
const margin = time.Second

// journal remembers what was out of reach, and when.
type journal struct {
	mu      sync.Mutex
	outages []outage
}

type outage struct {
	what     string
	from, to time.Time // to is zero while it lasts
}

// begin notes that something is out of reach from now on, and returns what ends it.
func (j *journal) begin(what string) (end func()) {
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
func (j *journal) excuses(from, to time.Time, needs []string) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, o := range j.outages {
		for _, need := range needs {
			if o.what == need && to.After(o.from) && (o.to.IsZero() || from.Before(o.to.Add(margin))) {
				return need
			}
		}
	}
	return ""
}

// total is how long something was out of reach, margins left out.
func (j *journal) total(what string) (n int, all time.Duration) {
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
