-- +goose Up
-- Whose slots an operation takes. Those that were asked for before there were lanes finish in the one of people.
ALTER TABLE operations ADD COLUMN IF NOT EXISTS lane VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'waiting';

-- +goose Down
ALTER TABLE operations DROP COLUMN IF EXISTS lane;
