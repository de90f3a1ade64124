-- +goose Up
-- A file of the gateway's spool is counted once, however often it is found again after a crash.
CREATE TABLE IF NOT EXISTS egress_batches (
  id          VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  ingested_at DATETIME(6)  NOT NULL,
  PRIMARY KEY (id),
  KEY egress_batches_ingested (ingested_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS egress_batches;
