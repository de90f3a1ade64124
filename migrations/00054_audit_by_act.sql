-- +goose Up
ALTER TABLE audit ADD INDEX IF NOT EXISTS audit_act (action, at);

-- +goose Down
ALTER TABLE audit DROP INDEX IF EXISTS audit_act;
