-- +goose Up
-- What the repositories of backups list, copied for people to read; the repositories themselves decide. A site that was
-- purged may still have snapshots, so no key refers to it.
CREATE TABLE IF NOT EXISTS snapshots (
  id             VARCHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  association_id CHAR(10)        CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  site_id        CHAR(10)        CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason         VARCHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  taken_at       DATETIME(6)     NOT NULL,
  ended_at       DATETIME(6)     NOT NULL,
  template       VARCHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version        VARCHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  files          BIGINT UNSIGNED NOT NULL,
  bytes          BIGINT UNSIGNED NOT NULL,
  database_bytes BIGINT UNSIGNED NOT NULL,
  missing        MEDIUMTEXT      NOT NULL,
  missing_count  BIGINT UNSIGNED NOT NULL,
  pinned         BOOLEAN         NOT NULL,
  PRIMARY KEY (id),
  KEY snapshots_site (site_id, taken_at),
  KEY snapshots_association (association_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;


-- +goose Down
DROP TABLE IF EXISTS snapshots;
