-- +goose Up
-- When the worker last read everybody's rights from the realm, all of them and without a fault. Tokens live by that copy.
ALTER TABLE worker_heartbeat ADD COLUMN IF NOT EXISTS rights_at DATETIME(6) NULL;

-- +goose Down
ALTER TABLE worker_heartbeat DROP COLUMN IF EXISTS rights_at;
