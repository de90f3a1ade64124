package wire

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/records"
	"chatiere/tenants"
	"chatiere/tenants/findings"
	"chatiere/tenants/mysql"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

// refusalPoll is how soon a worker that refuses the records looks whether they were exchanged or accepted.
const refusalPoll = 2 * time.Second

// tellTime bounds telling it.
const tellTime = 5 * time.Second

// belong waits until the records are those of this data root, and until then does nothing but say so. It looks before the
// schema is touched: an older dump is left as it is.
func (w *Worker) belong(ctx context.Context) error {
	c := w.config
	store, err := openStore(ctx, c, c.Database.MigrateUser, c.Secret(config.SecretDBMigrate), w.log)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	if err := w.awaitDatabase(ctx, store.Pool()); err != nil {
		return err
	}
	guard := w.guardOf(store)
	book := &findings.Store{Records: store, Now: w.now, Log: w.log}
	defer w.tell(context.WithoutCancel(ctx), book, nil)
	for {
		err := w.judge(ctx, guard)
		w.tell(ctx, book, err)
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

// judge looks once. A database that does not answer now is asked again, like one that is refused.
func (w *Worker) judge(ctx context.Context, guard *records.Guard) error {
	consent := records.Consent{Path: w.config.Paths().RecordsConsent()}
	err := guard.Fits(ctx)
	if err == nil {
		w.refuse(nil)
		return consent.Forget()
	}
	if !doubted(err) {
		if ctx.Err() == nil {
			w.log.Warn("the records cannot be compared with the data root yet", "error", err)
		}
		return err
	}
	w.refuse(err)
	if !consent.Given() {
		return err
	}
	if err := w.migrate(ctx); err != nil { // a dump may be older than the table of marks
		w.log.Error("bringing the accepted records' schema up to date failed", "error", err)
		return err
	}
	accepted, fault := guard.Accept(ctx, consent)
	if fault != nil {
		w.log.Error("accepting the records failed", "error", fault)
	}
	if accepted {
		w.log.Warn("the records are accepted for this data root, by root's word")
		w.refuse(nil)
		return nil
	}
	return err
}

// mismatches are the codes of what a person is told of records that are refused.
var mismatches = map[error]tenants.FindingCode{
	records.ErrOlder: tenants.FindingRecordsOlder, records.ErrNewer: tenants.FindingRecordsNewer, records.ErrForeign: tenants.FindingRecordsForeign,
}

// tell writes into the refused records why they are refused: the panel shows it, and where another worker works by them,
// its people see who wanted to. Records that are too old to take it do without.
func (w *Worker) tell(ctx context.Context, book *findings.Store, err error) {
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	scope := tenants.FindingScope{Area: tenants.AreaRecords, Subjects: []string{w.runner.Owner}}
	var found []tenants.Finding
	var m *records.Mismatch
	if errors.As(err, &m) {
		found = append(found, tenants.Finding{
			Area: scope.Area, Subject: w.runner.Owner, Code: mismatches[m.Kind], Level: tenants.LevelTrouble,
			Args: map[string]string{"host": w.runner.Owner, "records": records.Date(m.Database.At), "machine": records.Date(m.Root.At)},
		})
	}
	if err := book.Replace(ctx, scope, found); err != nil {
		w.log.Debug("the records take no word about themselves", "error", err)
	}
}

func (w *Worker) guardOf(store *mysql.Store) *records.Guard {
	return &records.Guard{Database: store, File: records.File{Path: w.config.Paths().RecordsMark()}, Host: w.runner.Owner, Now: w.now}
}

// worked reports whether work was ever taken up on this data root.
func (w *Worker) worked() bool {
	mark, err := records.File{Path: w.config.Paths().RecordsMark()}.Read()
	return err == nil && mark.Installation != ""
}

// refuse keeps why the records are refused, for the doctor, and says it once; nil ends the refusal.
func (w *Worker) refuse(err error) {
	before := w.refusal.Load()
	if err == nil {
		w.refusal.Store(nil)
		if before != nil {
			w.log.Info("the records belong to this data root; the work goes on")
		}
		return
	}
	if before == nil || (*before).Error() != err.Error() {
		w.log.Error("the records are refused; doing nothing", "cause", err, "advice", records.Advice(err))
	}
	w.refusal.Store(&err)
}

// refused returns why the records are refused, nil when they are not.
func (w *Worker) refused() error {
	if err := w.refusal.Load(); err != nil {
		return *err
	}
	return nil
}

// doubted reports whether an error says that records and data root do not belong together.
func doubted(err error) bool {
	return errors.Is(err, records.ErrOlder) || errors.Is(err, records.ErrNewer) || errors.Is(err, records.ErrForeign)
}

// guarded is the runner's store: each claim moves the mark before it has any effect.
type guarded struct {
	operations.Store
	guard interface {
		Advance(ctx context.Context) error
	}
	end  context.CancelCauseFunc // ends the worker when the records are not ours any more
	disk provision.Roomy
}

// Advance implements operations.Store; records that cannot be written for want of room are waited for, like all else.
func (g guarded) Advance(ctx context.Context, id string, fence int64, state operations.State, step operations.StepRecord) error {
	return provision.Full(ctx, g.disk, g.Store.Advance(ctx, id, fence, state, step))
}

// Commit implements operations.Store, see Advance.
func (g guarded) Commit(ctx context.Context, id string, fence int64, step operations.StepRecord) error {
	return provision.Full(ctx, g.disk, g.Store.Commit(ctx, id, fence, step))
}

// Claim implements operations.Store.
func (g guarded) Claim(ctx context.Context, owner string, ttl time.Duration) (operations.Operation, error) {
	op, err := g.Store.Claim(ctx, owner, ttl)
	if err != nil {
		return op, err
	}
	if err = g.guard.Advance(ctx); err == nil {
		return op, nil
	}
	if doubted(err) {
		g.end(err)
		return operations.Operation{}, err
	}
	err = fmt.Errorf("marking that work is taken up: %w", err)
	back := g.Requeue(context.WithoutCancel(ctx), op.ID, op.Lease.Fence, refusalPoll, op.Problem, op.Detail)
	return operations.Operation{}, errors.Join(err, back)
}

// sure runs a job only while the records are ours, and ends the worker when they are not any more.
func (w *Worker) sure(job func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := w.guard.Check(ctx); err != nil {
			if doubted(err) {
				w.end(err)
			}
			return err
		}
		return job(ctx)
	}
}
