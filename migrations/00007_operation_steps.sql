-- +goose Up
CREATE TABLE IF NOT EXISTS operation_steps (
  operation_id CHAR(26)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  seq          INT         NOT NULL,
  name         VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state        VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  attempt      INT         NOT NULL DEFAULT 0,
  result       JSON        NULL,
  error        TEXT        NOT NULL,
  started_at   DATETIME(6) NULL,
  ended_at     DATETIME(6) NULL,
  PRIMARY KEY (operation_id, seq),
  CONSTRAINT operation_steps_operation FOREIGN KEY (operation_id) REFERENCES operations (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS operation_steps;
