-- +goose Up
-- The release that visitors of a site reach; NULL until it has been made, and of a site made before there were releases until
-- the worker has recorded it from its container, for which version and image_id stay.
ALTER TABLE sites ADD COLUMN IF NOT EXISTS release_id CHAR(10) CHARACTER SET ascii COLLATE ascii_bin NULL;

-- +goose Down
ALTER TABLE sites DROP COLUMN IF EXISTS release_id;
