-- +goose Up
-- The accounts inside sites that the co-op should know of: those of people, and those that let in without the panel. One
-- of the latter has a row for each person who created it, changed it or gave it keys; subject is '' when nobody is known.
CREATE TABLE IF NOT EXISTS site_accounts (
  site_id       CHAR(10)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  login         VARCHAR(60)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  subject       VARCHAR(190) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  local         BOOLEAN      NOT NULL,
  administrator BOOLEAN      NOT NULL,
  app_keys      INT          NOT NULL,
  PRIMARY KEY (site_id, login, subject),
  KEY site_accounts_subject (subject)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS site_accounts;
