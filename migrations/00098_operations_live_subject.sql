-- +goose Up
-- Replaced by operation_holds. A panel of before, which would insert no holds, is refused from here on.
ALTER TABLE operations DROP COLUMN IF EXISTS live_subject;

-- +goose Down
ALTER TABLE operations ADD COLUMN IF NOT EXISTS live_subject VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NULL;
