-- +goose Up
-- Sign-ins that have begun: each row is taken once, by the issuer's answer, or forgotten after ten minutes.
CREATE TABLE IF NOT EXISTS sign_ins (
  state       BINARY(32)    NOT NULL,
  binding     BINARY(32)    NOT NULL,
  nonce       VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  verifier    VARCHAR(128)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  return_path VARCHAR(1024) NOT NULL,
  step_up     BOOLEAN       NOT NULL DEFAULT FALSE,
  expires_at  DATETIME(6)   NOT NULL,
  PRIMARY KEY (state),
  KEY sign_ins_expires (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS sign_ins;
