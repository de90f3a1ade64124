package relay

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// quota counts what each site sends in an hour of the clock. Its files survive
// a kill of the process (which a rate.Limiter would not), and need not survive a
// power cut: a site would then send one hour's worth twice.
type quota struct {
	dir    string
	hourly int
	now    func() time.Time

	mu    sync.Mutex
	sites map[string]hourCount
}

type hourCount struct {
	Hour time.Time `json:"hour"`
	Sent int       `json:"sent"`
}

const quotaFile = ".hour"

func newQuota(dir string, hourly int, now func() time.Time) *quota {
	return &quota{dir: dir, hourly: hourly, now: now, sites: map[string]hourCount{}}
}

// take takes n from the site's hour. A mail to more people than a whole hour
// allows goes when the hour is untouched.
func (q *quota) take(site string, n int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.count(site)
	if c.Sent > 0 && c.Sent+n > q.hourly {
		return false
	}
	c.Sent += n
	q.save(site, c)
	return true
}

// release returns what was taken and not used.
func (q *quota) release(site string, n int) {
	if n == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.count(site)
	c.Sent = max(0, c.Sent-n)
	q.save(site, c)
}

func (q *quota) count(site string) hourCount {
	this := hour(q.now())
	c, ok := q.sites[site]
	if !ok {
		text, err := os.ReadFile(filepath.Join(q.dir, site, quotaFile))
		if err != nil || json.Unmarshal(text, &c) != nil || c.Sent < 0 {
			c = hourCount{}
		}
	}
	if !c.Hour.Equal(this) {
		c = hourCount{Hour: this}
	}
	return c
}

// save writes without syncing; what cannot be written counts as long as we run.
func (q *quota) save(site string, c hourCount) {
	q.sites[site] = c
	text, err := json.Marshal(c)
	if err != nil {
		return
	}
	path := filepath.Join(q.dir, site, quotaFile)
	if os.WriteFile(path+".new", text, 0o600) == nil {
		_ = os.Rename(path+".new", path)
	}
}
