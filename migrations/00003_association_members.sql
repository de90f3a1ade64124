-- +goose Up
CREATE TABLE IF NOT EXISTS association_members (
  association_id CHAR(10)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  subject        VARCHAR(190) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  role           VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (association_id, subject),
  KEY association_members_subject (subject),
  CONSTRAINT association_members_association FOREIGN KEY (association_id) REFERENCES associations (id) ON DELETE CASCADE,
  CONSTRAINT association_members_person FOREIGN KEY (subject) REFERENCES people (subject) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS association_members;
