-- +goose Up
-- What each site tried to reach, by day of Europe/Paris. The row with an empty name sums what was too much to keep apart.
CREATE TABLE IF NOT EXISTS egress_daily (
  site_id  VARCHAR(10)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  day      DATE         NOT NULL,
  name     VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  port     INT          NOT NULL,
  decision VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason   VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  tries    BIGINT       NOT NULL,
  sent     BIGINT       NOT NULL,
  received BIGINT       NOT NULL,
  first_at DATETIME(6)  NOT NULL,
  last_at  DATETIME(6)  NOT NULL,
  PRIMARY KEY (site_id, day, name, port, decision),
  KEY egress_daily_day (day)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS egress_daily;
