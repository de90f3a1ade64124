-- +goose Up
-- Where the session was last used from: the network, never the address.
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS network VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE sessions DROP COLUMN IF EXISTS network;
