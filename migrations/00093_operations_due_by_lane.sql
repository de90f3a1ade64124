-- +goose Up
-- What a worker looks for: due operations of the lanes that have a free slot.
ALTER TABLE operations ADD INDEX IF NOT EXISTS operations_lane_due (lane, state, run_after);

-- +goose Down
ALTER TABLE operations DROP INDEX IF EXISTS operations_lane_due;
