-- +goose Up
-- How far a running step has come: done, total and unit as JSON.
ALTER TABLE operation_steps ADD COLUMN IF NOT EXISTS progress VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL;

-- +goose Down
ALTER TABLE operation_steps DROP COLUMN IF EXISTS progress;
