-- +goose Up
-- One row per thing that was ever noticed: open while ended_at is null, opened anew when it comes back.
CREATE TABLE IF NOT EXISTS findings (
  area     VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  subject  VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  code     VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  level    VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  args     TEXT         NOT NULL,
  since    DATETIME(6)  NOT NULL,
  seen     DATETIME(6)  NOT NULL,
  ended_at DATETIME(6)  NULL,
  PRIMARY KEY (area, subject, code),
  KEY findings_open (ended_at, area)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS findings;
