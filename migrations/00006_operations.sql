-- +goose Up
-- live_subject is the subject while the operation is not ended and NULL afterwards: one live operation per subject.
CREATE TABLE IF NOT EXISTS operations (
  id             CHAR(26)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  kind           VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  plan_version   INT           NOT NULL,
  subject        VARCHAR(128)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  live_subject   VARCHAR(128)  CHARACTER SET ascii COLLATE ascii_bin NULL,
  association_id VARCHAR(10)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  site_id        VARCHAR(10)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  idem_key       VARCHAR(190)  COLLATE utf8mb4_bin NOT NULL,
  spec           JSON          NOT NULL,
  state          VARCHAR(16)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  resume_state   VARCHAR(16)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  cancel         BOOLEAN       NOT NULL DEFAULT FALSE,
  problem        VARCHAR(64)   NOT NULL DEFAULT '',
  detail         TEXT          NOT NULL,
  attempt        INT           NOT NULL DEFAULT 0,
  run_after      DATETIME(6)   NOT NULL,
  created_by     VARCHAR(255)  NOT NULL DEFAULT '',
  created_at     DATETIME(6)   NOT NULL,
  started_at     DATETIME(6)   NULL,
  ended_at       DATETIME(6)   NULL,
  lease_owner    VARCHAR(128)  NOT NULL DEFAULT '',
  lease_until    DATETIME(6)   NULL,
  fence          BIGINT        NOT NULL DEFAULT 0,
  PRIMARY KEY (id),
  UNIQUE KEY operations_live_subject (live_subject),
  UNIQUE KEY operations_idem_key (idem_key),
  KEY operations_due (state, run_after),
  KEY operations_association (association_id, id),
  KEY operations_site (site_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- +goose Down
DROP TABLE IF EXISTS operations;
