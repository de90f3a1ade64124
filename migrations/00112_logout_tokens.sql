-- +goose Up
-- Logout tokens that were heard, so that none works twice; id is the SHA-256 of the token's own.
CREATE TABLE IF NOT EXISTS logout_tokens (
  id         BINARY(32)  NOT NULL,
  expires_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  KEY logout_tokens_expires (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS logout_tokens;
