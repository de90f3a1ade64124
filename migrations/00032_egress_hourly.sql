-- +goose Up
-- How much each site did with its way out, by hour, so that an unusual hour shows.
CREATE TABLE IF NOT EXISTS egress_hourly (
  site_id VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  hour    DATETIME    NOT NULL,
  tries   BIGINT      NOT NULL,
  refused BIGINT      NOT NULL,
  bytes   BIGINT      NOT NULL,
  PRIMARY KEY (site_id, hour),
  KEY egress_hourly_hour (hour)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS egress_hourly;
