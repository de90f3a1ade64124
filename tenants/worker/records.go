package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/findings"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
	"chatiere/tenants/records"
)

// refusalPoll is how often a worker that refuses the records checks whether they were replaced or accepted.
const refusalPoll = 2 * time.Second

// reportTimeout bounds reportMismatch.
const reportTimeout = 5 * time.Second

// awaitMatchingRecords waits until the records are those of this data root, and until then only reports that they are not.
// It runs before the schema is changed: an older dump stays as it is.
func (w *Worker) awaitMatchingRecords(ctx context.Context) error {
	schema, err := w.Database(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = schema.Close() }()
	if err := w.awaitDatabase(ctx, schema); err != nil {
		return err
	}
	guard := &records.Guard{Database: schema, File: w.Root.Mark, Host: w.Guard.Host, Now: w.Now}
	store := &findings.Store{Records: schema, Now: w.Now, Log: w.Log}
	defer w.reportMismatch(context.WithoutCancel(ctx), store, nil)
	for {
		err := w.checkRecords(ctx, guard)
		w.reportMismatch(ctx, store, err)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(refusalPoll):
		}
	}
}

// checkRecords checks once. A database that does not answer is checked again, like one that is refused.
func (w *Worker) checkRecords(ctx context.Context, guard *records.Guard) error {
	consent := w.Root.Consent
	err := guard.Fits(ctx)
	if err == nil {
		w.setRefusal(nil)
		return consent.Forget()
	}
	if !isMismatch(err) {
		if ctx.Err() == nil {
			w.Log.Warn("the records cannot be compared with the data root yet", "error", err)
		}
		return err
	}
	w.setRefusal(err)
	if !consent.Given() {
		return err
	}
	if err := w.migrate(ctx); err != nil { // a dump may be older than the table of marks
		w.Log.Error("bringing the accepted records' schema up to date failed", "error", err)
		return err
	}
	accepted, fault := guard.Accept(ctx, consent)
	if fault != nil {
		w.Log.Error("accepting the records failed", "error", fault)
	}
	if accepted {
		w.Log.Warn("root has accepted the records for this data root")
		w.setRefusal(nil)
		return nil
	}
	return err
}

// mismatches are the finding codes of refused records.
var mismatches = map[error]tenants.FindingCode{
	records.ErrOlder: tenants.FindingRecordsOlder, records.ErrNewer: tenants.FindingRecordsNewer, records.ErrForeign: tenants.FindingRecordsForeign,
}

// reportMismatch writes a finding about the refusal into the refused records, so that the panel shows it; if another worker
// uses them, its volunteers see who tried. Records that are too old for it get none.
func (w *Worker) reportMismatch(ctx context.Context, store *findings.Store, err error) {
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	scope := tenants.FindingScope{Area: tenants.AreaRecords, Subjects: []string{w.Guard.Host}}
	var found []tenants.Finding
	var m *records.Mismatch
	if errors.As(err, &m) {
		found = append(found, tenants.Finding{
			Area: scope.Area, Subject: w.Guard.Host, Code: mismatches[m.Kind], Level: tenants.LevelTrouble,
			Args: map[string]string{"host": w.Guard.Host, "records": records.Date(m.Database.At), "machine": records.Date(m.Root.At)},
		})
	}
	if err := store.Replace(ctx, scope, found); err != nil {
		w.Log.Debug("the finding about refused records cannot be written", "error", err)
	}
}

// hasWorked reports whether a worker has ever run on this data root.
func (w *Worker) hasWorked() bool {
	mark, err := w.Root.Mark.Read()
	return err == nil && mark.Installation != ""
}

// setRefusal stores why the records are refused, for the doctor, and logs it once; nil ends the refusal.
func (w *Worker) setRefusal(err error) {
	before := w.refusal.Load()
	if err == nil {
		w.refusal.Store(nil)
		if before != nil {
			w.Log.Info("the records belong to this data root; continuing")
		}
		return
	}
	if before == nil || (*before).Error() != err.Error() {
		w.Log.Error("the records are refused; doing nothing", "cause", err, "advice", records.Advice(err))
	}
	w.refusal.Store(&err)
}

// Refusal returns why the records are refused; nil when they are not.
func (w *Worker) Refusal() error {
	if err := w.refusal.Load(); err != nil {
		return *err
	}
	return nil
}

// isMismatch reports whether an error means that records and data root do not belong together.
func isMismatch(err error) bool {
	return errors.Is(err, records.ErrOlder) || errors.Is(err, records.ErrNewer) || errors.Is(err, records.ErrForeign)
}

// fencedStore is the runner's store: each claim advances the mark before it has any effect.
type fencedStore struct {
	operations.Store
	guard interface {
		Advance(ctx context.Context) error
	}
	end  context.CancelCauseFunc // ends the worker when the records are not ours any more
	disk provision.DiskSpace
}

// Advance implements operations.Store. If the database's disk is full, the operation waits like for any other disk.
func (g fencedStore) Advance(ctx context.Context, id string, fence int64, state operations.State, step operations.StepRecord) error {
	return provision.ClassifyDiskFull(ctx, g.disk, g.Store.Advance(ctx, id, fence, state, step))
}

// Commit implements operations.Store, see Advance.
func (g fencedStore) Commit(ctx context.Context, id string, fence int64, step operations.StepRecord) error {
	return provision.ClassifyDiskFull(ctx, g.disk, g.Store.Commit(ctx, id, fence, step))
}

// Claim implements operations.Store.
func (g fencedStore) Claim(ctx context.Context, owner string, lanes []operations.Lane, ttl time.Duration) (operations.Operation, error) {
	op, err := g.Store.Claim(ctx, owner, lanes, ttl)
	if err != nil {
		return op, err
	}
	if err = g.guard.Advance(ctx); err == nil {
		return op, nil
	}
	if isMismatch(err) {
		g.end(err)
		return operations.Operation{}, err
	}
	err = fmt.Errorf("marking that work is taken up: %w", err)
	back := g.Requeue(context.WithoutCancel(ctx), op.ID, op.Lease.Fence, refusalPoll, op.Problem, op.Detail)
	return operations.Operation{}, errors.Join(err, back)
}

// ifCurrent runs a job only while the records are ours, and ends the worker when they are not any more.
func (w *Worker) ifCurrent(job func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := w.Guard.Check(ctx); err != nil {
			if isMismatch(err) {
				w.end(err)
			}
			return err
		}
		return job(ctx)
	}
}
