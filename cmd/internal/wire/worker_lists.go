package wire

import (
	"context"
	"errors"
)

// reconcile renews the lists first, so that a grant without a nudge is not reported as drift of the site.
func (w *Worker) reconcile(ctx context.Context) error {
	w.recordReleases(ctx)
	return errors.Join(w.lists.Renew(ctx), w.reconciler.Reconcile(ctx))
}

// listsChanged requests a renewal of the lists after a change of grants.
func (w *Worker) listsChanged() {
	select {
	case w.listsDue <- struct{}{}:
	default: // it is due already
	}
}

// renewLists publishes changed grants at once. Failures are repeated by the reconciler's next round.
func (w *Worker) renewLists(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.listsDue:
		}
		if err := w.ifCurrent(w.lists.Renew)(ctx); err != nil && ctx.Err() == nil {
			w.log.Error("renewing what sites may reach failed", "error", err)
		}
	}
}
