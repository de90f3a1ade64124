-- +goose Up
-- No foreign keys: the trail outlives what it tells of.
CREATE TABLE IF NOT EXISTS audit (
  id             BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  at             DATETIME(6)   NOT NULL,
  actor_kind     VARCHAR(16)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  actor_id       VARCHAR(190)  NOT NULL DEFAULT '',
  actor_name     VARCHAR(255)  NOT NULL DEFAULT '',
  address        VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  action         VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  association_id VARCHAR(10)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  site_id        VARCHAR(10)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  operation_id   VARCHAR(26)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  detail         VARCHAR(2000) NOT NULL DEFAULT '',
  PRIMARY KEY (id),
  KEY audit_association (association_id, id),
  KEY audit_site (site_id, id),
  KEY audit_operation (operation_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS audit;
