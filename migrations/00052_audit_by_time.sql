-- +goose Up
ALTER TABLE audit ADD INDEX IF NOT EXISTS audit_time (at);

-- +goose Down
ALTER TABLE audit DROP INDEX IF EXISTS audit_time;
