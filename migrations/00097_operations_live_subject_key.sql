-- +goose Up
-- Replaced by operation_holds.
ALTER TABLE operations DROP INDEX IF EXISTS operations_live_subject;

-- +goose Down
ALTER TABLE operations ADD UNIQUE INDEX IF NOT EXISTS operations_live_subject (live_subject);
