-- +goose Up
ALTER TABLE audit ADD INDEX IF NOT EXISTS audit_association_time (association_id, at);

-- +goose Down
ALTER TABLE audit DROP INDEX IF EXISTS audit_association_time;
