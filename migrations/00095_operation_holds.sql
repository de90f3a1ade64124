-- +goose Up
-- What live operations hold. holder is empty where the subject is held exclusively, and the operation's id where it is
-- shared: one exclusive hold per subject, any number of shared ones; who inserts a hold looks for those of the other sort.
CREATE TABLE IF NOT EXISTS operation_holds (
  subject      VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  holder       VARCHAR(26)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  operation_id CHAR(26)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (subject, holder),
  KEY operation_holds_operation (operation_id),
  CONSTRAINT operation_holds_operation FOREIGN KEY (operation_id) REFERENCES operations (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS operation_holds;
