package wire

import (
	"context"
	"errors"
)

// reconcile renews the lists first, so that one whose grant came without a nudge is not taken for a site to be repaired.
func (w *Worker) reconcile(ctx context.Context) error {
	w.recordReleases(ctx)
	return errors.Join(w.lists.Renew(ctx), w.reconciler.Reconcile(ctx))
}

// listsChanged says that something was granted or taken back.
func (w *Worker) listsChanged() {
	select {
	case w.listsDue <- struct{}{}:
	default: // it is due already
	}
}

// renewLists publishes what was granted or taken back as soon as it is told. What fails here is tried again by the
// reconciler's next round.
func (w *Worker) renewLists(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.listsDue:
		}
		if err := w.sure(w.lists.Renew)(ctx); err != nil && ctx.Err() == nil {
			w.log.Error("renewing what sites may reach failed", "error", err)
		}
	}
}
