package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/doctor"
	"chatiere/tenants/audit"
	"chatiere/tenants/mysql"
)

// auditKeeper maintains the audit log in the worker: it chains, verifies and prunes it.
type auditKeeper struct {
	store       *mysql.Store
	writer      *audit.ChainWriter
	checkpoints audit.Checkpoints
	// pruner opens the log as the database user that may delete rows.
	pruner func(ctx context.Context) (*mysql.Store, error)
	keep   time.Duration
	now    func() time.Time

	one  sync.Mutex // one verification at a time: it reads everything
	mu   sync.Mutex
	last doctor.AuditState
}

func (w *Worker) newAuditKeeper() *auditKeeper {
	c := w.config
	heads := audit.Checkpoints{Dir: c.Paths().AuditDir()}
	return &auditKeeper{
		store: w.store, checkpoints: heads, now: w.now, keep: time.Duration(c.Audit.KeepDays) * 24 * time.Hour,
		writer: &audit.ChainWriter{Records: w.store, Checkpoints: heads, Now: w.now, Log: w.log},
		pruner: func(ctx context.Context) (*mysql.Store, error) {
			return openStore(ctx, c, c.Database.MigrateUser, c.Secret(config.SecretDBMigrate), w.log)
		},
	}
}

// runVerify verifies the whole log and stores the result for the doctor.
func (v *auditKeeper) runVerify(ctx context.Context, others []audit.Checkpoint) (audit.Report, error) {
	v.one.Lock()
	defer v.one.Unlock()
	report, err := audit.Verify(ctx, v.store, v.checkpoints, others, v.now())
	if err != nil {
		return report, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last.At, v.last.Report = v.now().UTC(), report
	return report, nil
}

// daily prunes old rows, then verifies the rest.
func (v *auditKeeper) daily(ctx context.Context) error {
	if err := v.prune(ctx); err != nil {
		return err
	}
	_, err := v.runVerify(ctx, nil)
	return err
}

func (v *auditKeeper) prune(ctx context.Context) error {
	if v.writer.Tampering() != nil {
		return nil // keep the evidence
	}
	store, err := v.pruner(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }() // every statement has its answer
	_, err = audit.Pruner{Records: store, Checkpoints: v.checkpoints, Keep: v.keep, Now: v.now}.Prune(ctx)
	return err
}

// state returns the state for the doctor.
func (v *auditKeeper) state() doctor.AuditState {
	v.mu.Lock()
	found := v.last
	v.mu.Unlock()
	found.Trouble = v.writer.Tampering()
	days, err := v.checkpoints.Days()
	if err != nil {
		found.Trouble = err
	}
	if len(days) > 0 {
		found.Head = days[len(days)-1].String()
	}
	return found
}

// maxCheckpoints bounds a file of checkpoints in a request: a line a day for some centuries.
const maxCheckpoints = 16 << 20

// verify serves root's request to verify the log. It is served on the worker's own socket: the panel is exposed to the
// internet and must not be the one to vouch for the log.
func (v *auditKeeper) verify(rw http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxCheckpoints))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	others, err := audit.ParseCheckpoints(text)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	if err := v.writer.Append(r.Context()); err != nil {
		http.Error(rw, fmt.Sprintf("chaining the newest rows: %v", err), http.StatusServiceUnavailable)
		return
	}
	report, err := v.runVerify(r.Context(), others)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusServiceUnavailable)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(report) // an asker who is gone needs no answer
}
