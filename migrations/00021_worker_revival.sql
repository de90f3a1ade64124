-- +goose Up
-- The command that brings the worker back, for the panel to show when there is none.
ALTER TABLE worker_heartbeat ADD COLUMN IF NOT EXISTS revival VARCHAR(2000) NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE worker_heartbeat DROP COLUMN IF EXISTS revival;
