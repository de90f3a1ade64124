// Package relay accepts mail from sites and sends it through the co-op's smarthost.
// Each site has a socket of its own for SMTP; mail is queued durably and sent when
// the smarthost and the site's quota allow it and the site is not held. The package
// knows nothing of associations or databases: the outcome of each mail is written to
// reports. Start at [Open], session.go (accepting), schedule.go and deliver.go
// (sending).
package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"chatiere/reverseproxy/egress/relay/queue"
	"chatiere/reverseproxy/egress/relay/report"
	"chatiere/reverseproxy/recovery"
)

var (
	// ErrNoSmarthost says that the co-op has not configured where mail goes.
	ErrNoSmarthost = errors.New("no mail relay configured")
	// ErrTooFast says that a site sends faster than it may.
	ErrTooFast = errors.New("too many attempts")
	// ErrClosed says that mail cannot be kept right now.
	ErrClosed = errors.New("mail cannot be kept")
	// ErrContent says that a message cannot be passed on as it is.
	ErrContent = errors.New("message not acceptable")
)

// Options says where mail is kept and where it goes. Zero values get defaults.
type Options struct {
	Dir       string     // kept mail; reports are in its directory "reports"
	Smarthost *Smarthost // nil: mail is refused at once
	Domain    string     // of the co-op's addresses: envelope senders and rewritten ones
	Senders   []string   // domains, beside its own name, that a site may write from
	Foreign   Foreign    // what happens to mail from other domains (Rewrite)

	Hourly        int   // recipients per site and hour (200); the rest waits
	MaxBytes      int64 // of a message (25 MiB)
	MaxRecipients int   // of a message (100)
	Limits        queue.Limits

	Retry  []time.Duration // pauses after a deferral; the last one is repeated
	Expire time.Duration   // a mail that is older is given up after its next failure (48 h)
	Pauses []time.Duration // pauses of everything while the smarthost is away
	Flush  time.Duration   // reports are written (1 s)
	Now    func() time.Time
}

func (o Options) withDefaults() Options {
	orDefault(&o.Hourly, 200)
	orDefault(&o.MaxBytes, 25<<20)
	orDefault(&o.MaxRecipients, 100)
	orDefault(&o.Expire, 48*time.Hour)
	orDefault(&o.Flush, time.Second)
	if o.Foreign == "" {
		o.Foreign = Rewrite
	}
	if len(o.Retry) == 0 {
		o.Retry = []time.Duration{
			time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, time.Hour, 2 * time.Hour,
		}
	}
	if len(o.Pauses) == 0 {
		o.Pauses = []time.Duration{5 * time.Second, 15 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func orDefault[T int | int64 | time.Duration](value *T, otherwise T) {
	if *value <= 0 {
		*value = otherwise
	}
}

// QueueDir is where mail waits in dir, in a directory for each site.
func QueueDir(dir string) string { return filepath.Join(dir, "queue") }

// ReportDir is where [report.Format] finds what became of the mails kept in dir.
func ReportDir(dir string) string { return filepath.Join(dir, "reports") }

// Relay takes and sends mail.
type Relay struct {
	Options
	log     *slog.Logger
	queue   *queue.Queue   // nil: could not be opened
	reports *report.Writer // nil with it
	quota   *quota
	wake    chan struct{}
	refused refusalLog

	mu       sync.Mutex
	serving  map[string]int // sockets that are open, by site: only their mail is sent
	finished []queue.Message
}

// Open reads the queue. A relay whose directory cannot be used accepts no mail and
// logs it; the sites keep their egress.
func Open(options Options, log *slog.Logger) *Relay {
	r := &Relay{
		Options: options.withDefaults(), log: log, wake: make(chan struct{}, 1), serving: map[string]int{},
	}
	r.refused.entries = map[refusal]report.Entry{}
	if err := r.open(); err != nil {
		log.Error("opening kept mail, none will be taken", "dir", r.Dir, "error", err)
		r.queue = nil
	}
	return r
}

func (r *Relay) open() (err error) {
	if r.reports, err = report.New(ReportDir(r.Dir), r.Now, r.log); err != nil {
		return fmt.Errorf("opening mail reports: %w", err)
	}
	kept := QueueDir(r.Dir)
	if r.queue, err = queue.Open(kept, r.Limits, r.Now, r.log); err != nil {
		return err
	}
	r.quota = newQuota(kept, r.Hourly, r.Now)
	for _, m := range r.queue.Messages() {
		r.report(m)
		if m.Final() {
			r.finish(m) // killed between the end and its report
		}
	}
	return nil
}

// Run sends queued mail until ctx ends.
func (r *Relay) Run(ctx context.Context) {
	if r.queue == nil {
		return
	}
	var wait sync.WaitGroup
	if r.Smarthost != nil {
		wait.Go(func() { recovery.Keep(ctx, r.log, "choosing mail to send", r.schedule) })
	}
	tick := time.NewTicker(r.Flush)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			r.flush()
		}
	}
	wait.Wait()
	r.flush()
}

// flush writes the reports, and removes the finished mails that they contain.
func (r *Relay) flush() {
	r.mu.Lock()
	finished := r.finished
	r.finished = nil
	r.mu.Unlock()
	err := r.reports.Flush()
	for _, m := range finished {
		if err == nil {
			err = r.queue.Remove(m)
		}
		if err != nil {
			r.finish(m)
		}
	}
	if err != nil {
		r.log.Error("writing mail reports", "error", err)
	}
}

func (r *Relay) finish(m queue.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finished = append(r.finished, m)
}

// addServing counts the open sockets of a site: without one (suspended, in
// quarantine, in the bin) its mail is held.
func (r *Relay) addServing(site string, by int) {
	r.mu.Lock()
	r.serving[site] += by
	if r.serving[site] == 0 {
		delete(r.serving, site)
	}
	r.mu.Unlock()
	r.nudge()
}

func (r *Relay) sites() map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[string]bool, len(r.serving))
	for site := range r.serving {
		out[site] = true
	}
	return out
}

// nudge wakes the schedule.
func (r *Relay) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
