-- +goose Up
-- One row per row of the audit trail, in the order of sealing; hash covers the row and the seal before it.
CREATE TABLE IF NOT EXISTS audit_seals (
  seq       BIGINT UNSIGNED NOT NULL,
  audit_id  BIGINT UNSIGNED NOT NULL,
  sealed_at DATETIME(6)     NOT NULL,
  hash      BINARY(32)      NOT NULL,
  PRIMARY KEY (seq),
  UNIQUE KEY audit_seals_audit (audit_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS audit_seals;
