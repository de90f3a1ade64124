package audit

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// Keeper maintains the log in the worker: it verifies and prunes what its Writer chains.
type Keeper struct {
	Writer      *ChainWriter
	Source      Source
	Checkpoints Checkpoints
	// OpenPrunable opens the log as the database user that may delete rows.
	OpenPrunable func(ctx context.Context) (PrunableLog, error)
	Keep         time.Duration // age at which rows are pruned
	Now          func() time.Time

	one  sync.Mutex // one verification at a time: it reads everything
	mu   sync.Mutex
	last State
}

// PrunableLog is a log that was opened to be pruned.
type PrunableLog interface {
	Prunable
	io.Closer
}

// State is the state of the log.
type State struct {
	At      time.Time // when it was last verified; zero: not yet
	Report  Report
	Head    string // the last day's checkpoint
	Trouble error  // from the chain writer
}

// Daily prunes old rows, then verifies the rest.
func (k *Keeper) Daily(ctx context.Context) error {
	if err := k.prune(ctx); err != nil {
		return err
	}
	_, err := k.verify(ctx, nil)
	return err
}

func (k *Keeper) prune(ctx context.Context) error {
	if k.Writer.Tampering() != nil {
		return nil // keep the evidence
	}
	log, err := k.OpenPrunable(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // every statement has its answer
	_, err = Pruner{Records: log, Checkpoints: k.Checkpoints, Keep: k.Keep, Now: k.Now}.Prune(ctx)
	return err
}

// VerifyNow chains the newest rows and verifies the whole log, also against checkpoints that were stored elsewhere.
func (k *Keeper) VerifyNow(ctx context.Context, others []Checkpoint) (Report, error) {
	if err := k.Writer.Append(ctx); err != nil {
		return Report{}, fmt.Errorf("chaining the newest rows: %w", err)
	}
	return k.verify(ctx, others)
}

func (k *Keeper) verify(ctx context.Context, others []Checkpoint) (Report, error) {
	k.one.Lock()
	defer k.one.Unlock()
	report, err := Verify(ctx, k.Source, k.Checkpoints, others, k.Now())
	if err != nil {
		return report, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last.At, k.last.Report = k.Now().UTC(), report
	return report, nil
}

// State returns the result of the last verification, the last day's checkpoint and any trouble of the writer.
func (k *Keeper) State() State {
	k.mu.Lock()
	found := k.last
	k.mu.Unlock()
	found.Trouble = k.Writer.Tampering()
	days, err := k.Checkpoints.Days()
	if err != nil {
		found.Trouble = err
	}
	if len(days) > 0 {
		found.Head = days[len(days)-1].String()
	}
	return found
}
