-- +goose Up
-- Slugs are never given twice, so the unique key covers deleted associations too.
CREATE TABLE IF NOT EXISTS associations (
  id         CHAR(10)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  slug       VARCHAR(80)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name       VARCHAR(200) NOT NULL,
  group_id   VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  state      VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_at DATETIME(6)  NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY associations_slug (slug)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS associations;
