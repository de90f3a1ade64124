-- +goose Up
-- hash is the SHA-256 of what the cookie carries; refresh_token and id_token are sealed with a key the database has not.
CREATE TABLE IF NOT EXISTS sessions (
  hash          BINARY(32)     NOT NULL,
  kind          VARCHAR(16)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  kc_sub        VARCHAR(190)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  kc_sid        VARCHAR(190)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  username      VARCHAR(255)   NOT NULL,
  name          VARCHAR(255)   NOT NULL,
  email         VARCHAR(320)   NOT NULL,
  coop_admin    BOOLEAN        NOT NULL DEFAULT FALSE,
  memberships   JSON           NOT NULL,
  acr           VARCHAR(64)    NOT NULL DEFAULT '',
  auth_time     DATETIME(6)    NULL,
  csrf          BINARY(32)     NOT NULL,
  refresh_token VARBINARY(16384) NULL,
  id_token      VARBINARY(16384) NULL,
  created_at    DATETIME(6)    NOT NULL,
  seen_at       DATETIME(6)    NOT NULL,
  rights_at     DATETIME(6)    NOT NULL,
  expires_at    DATETIME(6)    NOT NULL,
  PRIMARY KEY (hash),
  KEY sessions_kc_sid (kc_sid),
  KEY sessions_kc_sub (kc_sub),
  KEY sessions_expires (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS sessions;
