-- +goose Up
-- live_host is the host while the site holds it and NULL afterwards, so that a purged site's host is free again.
CREATE TABLE IF NOT EXISTS sites (
  id             CHAR(10)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  association_id CHAR(10)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  template       VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version        VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  image_id       VARCHAR(80)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  name           VARCHAR(200)  NOT NULL,
  host           VARCHAR(253)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  live_host      VARCHAR(253)  CHARACTER SET ascii COLLATE ascii_bin NULL,
  uid            INT UNSIGNED  NOT NULL,
  state          VARCHAR(16)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  admin_email    VARCHAR(320)  NOT NULL DEFAULT '',
  created_at     DATETIME(6)   NOT NULL,
  binned_at      DATETIME(6)   NULL,
  probe_at       DATETIME(6)   NULL,
  probe_health   VARCHAR(16)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  probe_detail   VARCHAR(1000) NOT NULL DEFAULT '',
  disk_bytes     BIGINT        NOT NULL DEFAULT 0,
  PRIMARY KEY (id),
  UNIQUE KEY sites_uid (uid),
  UNIQUE KEY sites_live_host (live_host),
  KEY sites_association (association_id, state),
  CONSTRAINT sites_association FOREIGN KEY (association_id) REFERENCES associations (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS sites;
