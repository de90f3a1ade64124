-- +goose Up
-- The directories below a site's data that are not writable in every mode, one a line. What lives has none.
ALTER TABLE releases ADD COLUMN IF NOT EXISTS places TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE releases DROP COLUMN IF EXISTS places;
