// Package relay is the sites' way to send mail. It takes mail from a site by
// SMTP on a socket that is the site's alone, keeps it durably, and hands it to
// the co-op's smarthost when that, the site's quota and its hold let it. It
// knows nothing of associations or databases: what became of each mail goes out
// as reports. Start at [Open], session.go (taking), schedule.go and deliver.go
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

// ReportDir is where [report.Ingest] finds what became of the mails kept in dir.
func ReportDir(dir string) string { return filepath.Join(dir, "reports") }

// Relay takes and sends mail.
type Relay struct {
	Options
	log    *slog.Logger
	queue  *queue.Queue   // nil: could not be opened
	report *report.Writer // nil with it
	quota  *quota
	wake   chan struct{}
	refuse refusals

	mu       sync.Mutex
	serving  map[string]int // sockets that are open, by site: only their mail is sent
	finished []queue.Message
}

// Open reads what is kept. A relay whose directory cannot be used takes no
// mail and says so; it is no reason for the sites to lose their way out.
func Open(options Options, log *slog.Logger) *Relay {
	r := &Relay{
		Options: options.withDefaults(), log: log, wake: make(chan struct{}, 1), serving: map[string]int{},
	}
	r.refuse.seen = map[refusal]report.Entry{}
	if err := r.open(); err != nil {
		log.Error("opening kept mail, none will be taken", "dir", r.Dir, "error", err)
		r.queue = nil
	}
	return r
}

func (r *Relay) open() (err error) {
	if r.report, err = report.New(ReportDir(r.Dir), r.Now, r.log); err != nil {
		return fmt.Errorf("opening mail reports: %w", err)
	}
	kept := QueueDir(r.Dir)
	if r.queue, err = queue.Open(kept, r.Limits, r.Now, r.log); err != nil {
		return err
	}
	r.quota = newQuota(kept, r.Hourly, r.Now)
	for _, m := range r.queue.Messages() {
		r.tell(m)
		if m.Final() {
			r.finish(m) // killed between the end and its report
		}
	}
	return nil
}

// Run sends what is kept until ctx ends.
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

// flush writes the reports, and removes the mails whose end has been told.
func (r *Relay) flush() {
	r.mu.Lock()
	finished := r.finished
	r.finished = nil
	r.mu.Unlock()
	err := r.report.Flush()
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

// open and shut note whether a site has its socket: without one (suspended,
// in quarantine, in the bin) its mail is held.
func (r *Relay) shift(site string, by int) {
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

// nudge lets the schedule look again.
func (r *Relay) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
