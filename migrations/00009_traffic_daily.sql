-- +goose Up
-- Days are those of Europe/Paris. No address and no path is kept.
CREATE TABLE IF NOT EXISTS traffic_daily (
  site_id   VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  day       DATE        NOT NULL,
  requests  BIGINT      NOT NULL DEFAULT 0,
  bytes_in  BIGINT      NOT NULL DEFAULT 0,
  bytes_out BIGINT      NOT NULL DEFAULT 0,
  status1   BIGINT      NOT NULL DEFAULT 0,
  status2   BIGINT      NOT NULL DEFAULT 0,
  status3   BIGINT      NOT NULL DEFAULT 0,
  status4   BIGINT      NOT NULL DEFAULT 0,
  status5   BIGINT      NOT NULL DEFAULT 0,
  PRIMARY KEY (site_id, day),
  KEY traffic_daily_day (day)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS traffic_daily;
