-- +goose Up
-- What of a site is meant to run, made once and never changed. Front, names and images of the containers are apart from the
-- definition, which is large and rarely needed.
CREATE TABLE IF NOT EXISTS releases (
  id           CHAR(10)          CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  site_id      CHAR(10)          CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  number       INT UNSIGNED      NOT NULL,
  template     VARCHAR(64)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version      VARCHAR(64)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  generation   SMALLINT UNSIGNED NOT NULL DEFAULT 1,
  sockets      VARCHAR(32)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  containers   TEXT              NOT NULL,
  definition   MEDIUMTEXT        NOT NULL,
  created_at   DATETIME(6)       NOT NULL,
  operation_id CHAR(26)          CHARACTER SET ascii COLLATE ascii_bin NULL,
  PRIMARY KEY (id),
  UNIQUE KEY releases_number (site_id, number),
  UNIQUE KEY releases_operation (operation_id, site_id),
  CONSTRAINT releases_site FOREIGN KEY (site_id) REFERENCES sites (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS releases;
