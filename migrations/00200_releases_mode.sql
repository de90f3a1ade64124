-- +goose Up
-- The mode that a site runs in, of those that its template has. What lives was made in the only one there was.
ALTER TABLE releases ADD COLUMN IF NOT EXISTS mode VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'autonome';

-- +goose Down
ALTER TABLE releases DROP COLUMN IF EXISTS mode;
