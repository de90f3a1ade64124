package mysql

import (
	"chatiere/tenants/database"
	"context"
	"time"
)

// prunedAtOnce bounds one deletion, so that no other statement waits for it for long; the rest goes with the next call.
const prunedAtOnce = 1000

// PruneHistory removes what ended before that instant and is looked at by nobody any more: operations that ended with their
// steps, requests for egress that were refused or revoked, and heartbeats of workers that are gone. What was done and by
// whom stays in the audit trail.
func (s *Store) PruneHistory(ctx context.Context, before time.Time) error {
	for _, statement := range []string{
		"DELETE FROM operations WHERE ended_at < ? ORDER BY id LIMIT ?",
		"DELETE FROM site_access WHERE live_key IS NULL AND decided_at < ? ORDER BY id LIMIT ?",
		"DELETE FROM worker_heartbeat WHERE seen_at < ? ORDER BY seen_at LIMIT ?",
	} {
		if err := s.On(ctx).Exec(statement, before.UTC(), prunedAtOnce).Error; err != nil {
			return database.Translate("pruning old records", err)
		}
	}
	return nil
}
