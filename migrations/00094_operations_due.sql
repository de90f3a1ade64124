-- +goose Up
-- Replaced by operations_lane_due.
ALTER TABLE operations DROP INDEX IF EXISTS operations_due;

-- +goose Down
ALTER TABLE operations ADD INDEX IF NOT EXISTS operations_due (state, run_after);
