package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// prepare makes the two tables in which the schema's own state is kept. Goose makes its table by itself, but a program
// killed between its table and its first row would leave one that goose cannot start from.
func prepare(ctx context.Context, db *sql.DB) error {
	for _, statement := range []string{
		`CREATE TABLE IF NOT EXISTS goose_db_version (
  id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  version_id BIGINT          NOT NULL,
  is_applied BOOLEAN         NOT NULL,
  tstamp     TIMESTAMP       NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (id)
) ENGINE=InnoDB`,
		`INSERT INTO goose_db_version (version_id, is_applied)
  SELECT 0, TRUE FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM goose_db_version WHERE version_id = 0)`,
		`CREATE TABLE IF NOT EXISTS schema_pending (
  version   BIGINT      NOT NULL,
  direction VARCHAR(4)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  sum       CHAR(64)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  since     DATETIME(6) NOT NULL,
  PRIMARY KEY (version)
) ENGINE=InnoDB`,
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("preparing the schema's own record: %w", err)
		}
	}
	return nil
}

// pending is a migration that was begun and not seen to end.
type pending struct {
	version int64
	sum     string
}

func pendingMigration(ctx context.Context, db *sql.DB) (p pending, found bool, err error) {
	row := db.QueryRowContext(ctx, "SELECT version, sum FROM schema_pending ORDER BY version LIMIT 1")
	err = row.Scan(&p.version, &p.sum)
	if errors.Is(err, sql.ErrNoRows) {
		return p, false, nil
	}
	if err != nil {
		return p, false, fmt.Errorf("reading the pending migration: %w", err)
	}
	return p, true, nil
}

// recordedVersions returns the versions the database says it has; none when it has no record at all.
func recordedVersions(ctx context.Context, db *sql.DB) (map[int64]bool, error) {
	tables, err := tableNames(ctx, db)
	if err != nil || !tables["goose_db_version"] {
		return map[int64]bool{}, err
	}
	rows, err := db.QueryContext(ctx, "SELECT version_id FROM goose_db_version WHERE version_id > 0")
	return collect[int64](rows, err, "reading the applied migrations")
}

func tableNames(ctx context.Context, db *sql.DB) (map[string]bool, error) {
	rows, err := db.QueryContext(ctx,
		"SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'")
	return collect[string](rows, err, "listing the tables")
}

func collect[T comparable](rows *sql.Rows, err error, doing string) (map[T]bool, error) {
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	defer func() { _ = rows.Close() }()
	out := map[T]bool{}
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			return nil, fmt.Errorf("%s: %w", doing, err)
		}
		out[v] = true
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return out, nil
}
