// Package queue stores accepted mail until it is sent: one file per message and one
// small file with its progress, both written atomically. It knows nothing of SMTP.
// Start at [Queue.Create] and [Message].
package queue

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

var (
	// ErrSiteFull says that a site has as much waiting mail as it may have.
	ErrSiteFull = errors.New("too much mail of this site is waiting")
	// ErrFull says that all sites together have as much waiting mail as there may be.
	ErrFull = errors.New("too much mail is waiting")
	// ErrDiskFull means that the disk is as full as mail may make it.
	ErrDiskFull = errors.New("no room on the disk for mail")
	// ErrDamaged says that a file of the queue cannot be read.
	ErrDamaged = errors.New("damaged mail file")
)

// Limits bound what waits. Zero values get defaults.
type Limits struct {
	SiteMails  int   // messages per site (500)
	SiteBytes  int64 // of messages per site (200 MiB)
	TotalMails int   // messages of all sites (10,000)
	TotalBytes int64 // of messages of all sites (2 GiB)
	Reserve    int64 // bytes of the disk that mail leaves free (1 GiB)
	Free       func(dir string) (int64, error)
}

func (l Limits) withDefaults() Limits {
	orDefault(&l.SiteMails, 500)
	orDefault(&l.SiteBytes, 200<<20)
	orDefault(&l.TotalMails, 10_000)
	orDefault(&l.TotalBytes, 2<<30)
	orDefault(&l.Reserve, 1<<30)
	if l.Free == nil {
		l.Free = free
	}
	return l
}

func orDefault[T int | int64](value *T, otherwise T) {
	if *value <= 0 {
		*value = otherwise
	}
}

func free(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("looking for room on the disk: %w", err)
	}
	return int64(min(s.Bavail, 1<<40)) * s.Bsize, nil
}

// Queue is a directory of waiting mail. One process may have it open.
type Queue struct {
	dir    string
	limits Limits
	now    func() time.Time
	log    *slog.Logger

	mu       sync.Mutex
	messages map[string]*Message
	usage    map[string]usage // by site; drafts included
	total    usage
}

type usage struct {
	mails int
	bytes int64
}

// Open reads what a predecessor left: what was accepted is there again, what
// was half received is removed. A file that cannot be read is set aside (its
// name gets ".bad") and leaves the others alone.
func Open(dir string, limits Limits, now func() time.Time, log *slog.Logger) (*Queue, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening mail queue: %w", err)
	}
	q := &Queue{
		dir: dir, limits: limits.withDefaults(), now: now, log: log,
		messages: map[string]*Message{}, usage: map[string]usage{},
	}
	sites, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("opening mail queue: %w", err)
	}
	for _, site := range sites {
		if !site.IsDir() {
			continue
		}
		if err := q.load(site.Name()); err != nil {
			return nil, fmt.Errorf("opening mail queue: %w", err)
		}
	}
	return q, nil
}

// Messages returns what waits, oldest first. The messages are copies.
func (q *Queue) Messages() []Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := make([]Message, 0, len(q.messages))
	for _, id := range slices.Sorted(maps.Keys(q.messages)) {
		out = append(out, q.messages[id].clone())
	}
	return out
}

// CheckRoom returns nil if a message of that site would be accepted now.
func (q *Queue) CheckRoom(site string) error {
	q.mu.Lock()
	err := q.checkLimits(site, usage{mails: 1})
	q.mu.Unlock()
	if err != nil {
		return err
	}
	return q.checkDisk()
}

// checkLimits checks the limits; q.mu is locked.
func (q *Queue) checkLimits(site string, more usage) error {
	have := q.usage[site]
	switch {
	case have.mails+more.mails > q.limits.SiteMails, have.bytes+more.bytes > q.limits.SiteBytes:
		return ErrSiteFull
	case q.total.mails+more.mails > q.limits.TotalMails, q.total.bytes+more.bytes > q.limits.TotalBytes:
		return ErrFull
	}
	return nil
}

func (q *Queue) checkDisk() error {
	room, err := q.limits.Free(q.dir)
	if err != nil {
		return err
	}
	if room < q.limits.Reserve {
		return ErrDiskFull
	}
	return nil
}

// addUsage adds to a site's usage; negative figures release it.
func (q *Queue) addUsage(site string, more usage) {
	next := usage{q.usage[site].mails + more.mails, q.usage[site].bytes + more.bytes}
	if next == (usage{}) {
		delete(q.usage, site)
	} else {
		q.usage[site] = next
	}
	q.total.mails += more.mails
	q.total.bytes += more.bytes
}

func (q *Queue) path(site, name string) string { return filepath.Join(q.dir, site, name) }
