-- +goose Up
-- One row. A sequence of the engine's would burn a number at every rolled-back creation, and the range is small.
CREATE TABLE IF NOT EXISTS uid_sequence (
  one      TINYINT UNSIGNED NOT NULL,
  next_uid INT UNSIGNED     NOT NULL,
  PRIMARY KEY (one),
  CONSTRAINT uid_sequence_one CHECK (one = 1)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS uid_sequence;
