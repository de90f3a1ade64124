-- +goose Up
-- Tries to get in, by what is tried and where from; id is a keyed hash of both, so that no address stands here. A row
-- whose time is past says nothing any more.
CREATE TABLE IF NOT EXISTS tries (
  id       BINARY(32)  NOT NULL,
  spent_to DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  KEY tries_spent (spent_to)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS tries;
