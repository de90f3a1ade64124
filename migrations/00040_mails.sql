-- +goose Up
-- What became of each mail of a site for one recipient, as the gateway last told. Addresses are masked before they get
-- here, and rows are kept for thirty days. There is no text of any mail.
CREATE TABLE IF NOT EXISTS mails (
  id          VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  site_id     VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  recipient   VARCHAR(320) NOT NULL DEFAULT '',
  state       VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  cause       VARCHAR(40)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  code        INT          NOT NULL DEFAULT 0,
  said        VARCHAR(1500) NOT NULL DEFAULT '',
  attempts    INT          NOT NULL DEFAULT 0,
  accepted_at DATETIME(6)  NOT NULL,
  changed_at  DATETIME(6)  NOT NULL,
  next_at     DATETIME(6)  NULL,
  PRIMARY KEY (id),
  KEY mails_of_site (site_id, accepted_at),
  KEY mails_changed (changed_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS mails;
