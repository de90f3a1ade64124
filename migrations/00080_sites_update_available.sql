-- +goose Up
-- Whether the site's template gives another image now than the one the site is made of.
ALTER TABLE sites ADD COLUMN IF NOT EXISTS update_available BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
ALTER TABLE sites DROP COLUMN IF EXISTS update_available;
