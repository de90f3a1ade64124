-- +goose Up
-- What keeps the database of a release: empty is the server that all sites share, which keeps those of all that live.
ALTER TABLE releases ADD COLUMN IF NOT EXISTS database_engine VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE releases DROP COLUMN IF EXISTS database_engine;
