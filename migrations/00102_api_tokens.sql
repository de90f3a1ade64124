-- +goose Up
-- Revoked tokens stay, for those who look into what one has done.
CREATE TABLE IF NOT EXISTS api_tokens (
  id         VARCHAR(10)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  hash       BINARY(32)   NOT NULL,
  label      VARCHAR(80)  NOT NULL,
  maker_kind VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  maker_id   VARCHAR(190) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  maker_name VARCHAR(255) NOT NULL,
  admin      BOOLEAN      NOT NULL DEFAULT FALSE,
  scope      VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_at DATETIME(6)  NOT NULL,
  expires_at DATETIME(6)  NOT NULL,
  used_at    DATETIME(6)  NULL,
  revoked_at DATETIME(6)  NULL,
  PRIMARY KEY (id),
  UNIQUE KEY api_tokens_hash (hash),
  KEY api_tokens_maker (maker_kind, maker_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS api_tokens;
