-- +goose Up
-- What sites may reach beyond their templates and the co-op's list. live_key is null once it is refused or revoked, so
-- that the same can be asked for again, and never twice at a time.
CREATE TABLE IF NOT EXISTS site_access (
  id         VARCHAR(10)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  site_id    VARCHAR(10)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name       VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  ports      VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  live_key   VARCHAR(320) CHARACTER SET ascii COLLATE ascii_bin NULL,
  reason     VARCHAR(500) NOT NULL,
  state      VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  asked_by   VARCHAR(255) NOT NULL,
  asked_at   DATETIME(6)  NOT NULL,
  decided_by VARCHAR(255) NOT NULL DEFAULT '',
  decided_at DATETIME(6)  NULL,
  answer     VARCHAR(500) NOT NULL DEFAULT '',
  PRIMARY KEY (id),
  UNIQUE KEY site_access_live (site_id, live_key),
  KEY site_access_state (state, asked_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS site_access;
