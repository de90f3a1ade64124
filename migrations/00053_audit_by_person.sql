-- +goose Up
ALTER TABLE audit ADD INDEX IF NOT EXISTS audit_person (actor_name, at);

-- +goose Down
ALTER TABLE audit DROP INDEX IF EXISTS audit_person;
