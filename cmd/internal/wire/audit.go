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

// vault is the worker's care of the audit trail: sealing, looking through, pruning.
type vault struct {
	store  *mysql.Store
	sealer *audit.ChainWriter
	heads  audit.Checkpoints
	// pruner opens the trail as the one user of the database that may remove rows.
	pruner func(ctx context.Context) (*mysql.Store, error)
	keep   time.Duration
	now    func() time.Time

	one  sync.Mutex // one look through at a time: it reads everything
	mu   sync.Mutex
	seen doctor.AuditState
}

func (w *Worker) newVault() *vault {
	c := w.config
	heads := audit.Checkpoints{Dir: c.Paths().AuditDir()}
	return &vault{
		store: w.store, heads: heads, now: w.now, keep: time.Duration(c.Audit.KeepDays) * 24 * time.Hour,
		sealer: &audit.ChainWriter{Records: w.store, Checkpoints: heads, Now: w.now, Log: w.log},
		pruner: func(ctx context.Context) (*mysql.Store, error) {
			return openStore(ctx, c, c.Database.MigrateUser, c.Secret(config.SecretDBMigrate), w.log)
		},
	}
}

// look goes through the whole trail and remembers what it found for the doctor.
func (v *vault) look(ctx context.Context, others []audit.Checkpoint) (audit.Report, error) {
	v.one.Lock()
	defer v.one.Unlock()
	report, err := audit.Verify(ctx, v.store, v.heads, others, v.now())
	if err != nil {
		return report, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.seen.At, v.seen.Report = v.now().UTC(), report
	return report, nil
}

// daily removes what is too old, then looks through the rest.
func (v *vault) daily(ctx context.Context) error {
	if err := v.prune(ctx); err != nil {
		return err
	}
	_, err := v.look(ctx, nil)
	return err
}

func (v *vault) prune(ctx context.Context) error {
	if v.sealer.Tampering() != nil {
		return nil // evidence is not thrown away
	}
	store, err := v.pruner(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }() // every statement has its answer
	_, err = audit.Pruner{Records: store, Checkpoints: v.heads, Keep: v.keep, Now: v.now}.Prune(ctx)
	return err
}

// state is what the doctor tells.
func (v *vault) state() doctor.AuditState {
	v.mu.Lock()
	found := v.seen
	v.mu.Unlock()
	found.Trouble = v.sealer.Tampering()
	days, err := v.heads.Days()
	if err != nil {
		found.Trouble = err
	}
	if len(days) > 0 {
		found.Head = days[len(days)-1].String()
	}
	return found
}

// maxHeads bounds a file of heads that somebody brings: a line a day for some centuries.
const maxHeads = 16 << 20

// verify answers root's question whether the trail is whole. It is asked at the worker's own socket: the panel is what
// the world can reach, and must not be the one to answer for the trail.
func (v *vault) verify(rw http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxHeads))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	others, err := audit.ParseCheckpoints(text)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	if err := v.sealer.Append(r.Context()); err != nil {
		http.Error(rw, fmt.Sprintf("sealing the newest rows: %v", err), http.StatusServiceUnavailable)
		return
	}
	report, err := v.look(r.Context(), others)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusServiceUnavailable)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(report) // an asker who is gone needs no answer
}
