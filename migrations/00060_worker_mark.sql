-- +goose Up
-- One row: which data root these records belong to, and how often that root's worker has taken up work. The data root
-- keeps the same two; records that lag behind it are an older dump. Dumps are loaded in the order of the alphabet: a table
-- that comes last says that all the others are there.
CREATE TABLE IF NOT EXISTS worker_mark (
  one          TINYINT UNSIGNED NOT NULL,
  installation CHAR(26)         CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  count        BIGINT           NOT NULL,
  host         VARCHAR(128)     NOT NULL DEFAULT '',
  marked_at    DATETIME(6)      NOT NULL,
  PRIMARY KEY (one),
  CONSTRAINT worker_mark_one CHECK (one = 1)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS worker_mark;
