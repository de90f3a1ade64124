// Package schedule runs the worker's recurring jobs. It is the only importer of robfig/cron and answers its traps: a job
// never runs twice at once, a panic ends that run alone, every job has a context, and stopping waits.
package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/robfig/cron/v3"
)

// Job is one recurring task. Each run is repeatable: it looks at the world and does what is due.
type Job struct {
	Name string
	// Every is the time between starts; at least a second. It counts from the start of the schedule, not by the wall
	// clock, so a change to summer time neither skips nor doubles a run.
	Every time.Duration
	// Limit bounds one run; 0: as long as Every, at least a minute.
	Limit time.Duration
	Run   func(ctx context.Context) error
}

// minLimit keeps short intervals from cutting a run that waits for a slow disk.
const minLimit = time.Minute

// Run starts all jobs at once, so that what was missed while the process was down is made up, repeats them until ctx
// ends, and returns when the last run has ended. How each run went stands on the board.
func Run(ctx context.Context, log *slog.Logger, board *Board, jobs ...Job) {
	board.list(jobs)
	logger := cronLogger{log}
	c := cron.New(cron.WithLocation(time.UTC), cron.WithLogger(logger),
		// Recover is innermost: otherwise SkipIfStillRunning never gets its token back from a job that panicked (v3.0.1).
		cron.WithChain(cron.SkipIfStillRunning(logger), cron.Recover(logger)))
	var first sync.WaitGroup
	for _, j := range jobs {
		id := c.Schedule(cron.Every(j.Every), cron.FuncJob(func() { run(ctx, log, board, j) }))
		first.Go(c.Entry(id).WrappedJob.Run)
	}
	c.Start()
	<-ctx.Done()
	first.Wait()
	<-c.Stop().Done()
}

func run(ctx context.Context, log *slog.Logger, board *Board, j Job) {
	if ctx.Err() != nil {
		return
	}
	limit := j.Limit
	if limit == 0 {
		limit = max(j.Every, minLimit)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := errPanicked // unless the run comes back
	started := time.Now()
	defer func() {
		if ctx.Err() != context.Canceled { // a run that was cut short by the end of the process says nothing of the job
			board.write(j.Name, started, time.Since(started), err)
		}
	}()
	if err = j.Run(ctx); err != nil && ctx.Err() != context.Canceled {
		level := slog.LevelError
		if board.said(j.Name) == err.Error() {
			level = slog.LevelDebug // a job that runs every few seconds says the same thing once; the board keeps it
		}
		log.Log(ctx, level, "scheduled job failed", "job", j.Name, "error", err)
	}
}

var errPanicked = errors.New("the job panicked; its trace is in the log")

// cronLogger sends cron's words to slog. Its "skip" lines are of interest when somebody looks for them, not before.
type cronLogger struct{ log *slog.Logger }

func (l cronLogger) Info(msg string, pairs ...any) { l.log.Debug("cron: "+msg, pairs...) }

func (l cronLogger) Error(err error, msg string, pairs ...any) {
	l.log.Error("cron: "+msg, append(pairs, "error", fmt.Sprint(err))...)
}
