-- +goose Up
-- Which side put a site into the bin. Of sites that lay there before this column it is unknown, and the co-op restores them.
ALTER TABLE sites ADD COLUMN IF NOT EXISTS binned_by VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE sites DROP COLUMN IF EXISTS binned_by;
