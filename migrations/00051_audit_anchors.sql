-- +goose Up
-- The last seal of what was pruned because its time was over: the chain begins behind the newest anchor.
CREATE TABLE IF NOT EXISTS audit_anchors (
  seq       BIGINT UNSIGNED NOT NULL,
  audit_id  BIGINT UNSIGNED NOT NULL,
  sealed_at DATETIME(6)     NOT NULL,
  hash      BINARY(32)      NOT NULL,
  PRIMARY KEY (seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS audit_anchors;
