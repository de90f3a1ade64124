-- +goose Up
-- What Keycloak last told us of a person; it can be thrown away and read again.
CREATE TABLE IF NOT EXISTS people (
  subject    VARCHAR(190) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  username   VARCHAR(255) NOT NULL,
  name       VARCHAR(255) NOT NULL,
  email      VARCHAR(320) NOT NULL,
  coop_admin BOOLEAN      NOT NULL DEFAULT FALSE,
  seen_at    DATETIME(6)  NOT NULL,
  PRIMARY KEY (subject)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS people;
