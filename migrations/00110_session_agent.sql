-- +goose Up
-- Browser and device in two words, never what the browser said of itself.
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS agent VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE sessions DROP COLUMN IF EXISTS agent;
