-- +goose Up
-- What a site was before it was put into the bin, which is what it comes back to. Sites that lay there before this
-- column have none: their last deletion tells.
ALTER TABLE sites ADD COLUMN IF NOT EXISTS binned_from VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE sites DROP COLUMN IF EXISTS binned_from;
