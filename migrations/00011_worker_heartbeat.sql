-- +goose Up
CREATE TABLE IF NOT EXISTS worker_heartbeat (
  worker  VARCHAR(128) NOT NULL,
  seen_at DATETIME(6)  NOT NULL,
  PRIMARY KEY (worker)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS worker_heartbeat;
