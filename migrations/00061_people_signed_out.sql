-- +goose Up
-- When somebody, or the co-op for them, last ended all their sessions: those they have inside sites ended then, too.
ALTER TABLE people ADD COLUMN IF NOT EXISTS signed_out_at DATETIME(6) NULL;

-- +goose Down
ALTER TABLE people DROP COLUMN IF EXISTS signed_out_at;
