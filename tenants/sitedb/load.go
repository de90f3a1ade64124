package sitedb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/dbguard"
)

// Loads returns what the sites' users are doing right now; whoever has no connection is left out, and so
// are connections that are being ended. Waiting for a lock or
// for a timer takes nobody's processor and does not count as running.
func (s *Server) Loads(ctx context.Context) ([]dbguard.Load, error) {
	const doing = "asking what sites do in their database"
	rows, err := s.pool.QueryContext(ctx, `SELECT p.USER, COUNT(*), SUM(p.COMMAND <> 'Sleep'), SUM(p.MEMORY_USED), SUM(p.TMP_SPACE_USED),
  SUM(IF(p.COMMAND IN ('Query', 'Execute') AND NOT (p.STATE LIKE 'Waiting %' OR p.STATE IN ('User sleep', 'User lock')), p.TIME_MS, 0)),
  MAX(TIMESTAMPDIFF(SECOND, t.trx_started, NOW()))
FROM information_schema.PROCESSLIST AS p
LEFT JOIN information_schema.INNODB_TRX AS t ON t.trx_mysql_thread_id = p.ID
WHERE p.USER LIKE 'site!_s%' ESCAPE '!' AND p.COMMAND <> 'Killed' GROUP BY p.USER`)
	if err != nil {
		return nil, translate(doing, err)
	}
	defer func() { _ = rows.Close() }()
	var out []dbguard.Load
	for rows.Next() {
		var l dbguard.Load
		var running sql.NullFloat64
		var oldest sql.NullInt64
		if err := rows.Scan(&l.Database, &l.Connections, &l.Statements, &l.Memory, &l.Temporary, &running, &oldest); err != nil {
			return nil, translate(doing, err)
		}
		l.Running = time.Duration(running.Float64 * float64(time.Millisecond))
		l.Transaction = time.Duration(oldest.Int64) * time.Second
		out = append(out, l)
	}
	return out, translate(doing, rows.Err())
}

// Kill ends all connections of a site's user.
func (s *Server) Kill(ctx context.Context, name string) error {
	account, err := accountOf(name)
	if err != nil {
		return err
	}
	return s.exec(ctx, "ending the connections of "+name, "KILL HARD CONNECTION USER "+account)
}

// Lock keeps a site's user out, from now on and over restarts, and ends its connections.
func (s *Server) Lock(ctx context.Context, name string) error {
	account, err := accountOf(name)
	if err != nil {
		return err
	}
	return s.execAll(ctx, "locking "+name, "ALTER USER IF EXISTS "+account+" ACCOUNT LOCK", "KILL HARD CONNECTION USER "+account)
}

// Unlock lets a site's user in again; one that is not locked, or not there, is success.
func (s *Server) Unlock(ctx context.Context, name string) error {
	account, err := accountOf(name)
	if err != nil {
		return err
	}
	return s.exec(ctx, "unlocking "+name, "ALTER USER IF EXISTS "+account+" ACCOUNT UNLOCK")
}

func accountOf(name string) (string, error) {
	if !siteName.MatchString(name) {
		return "", fmt.Errorf("database user %q is no site's: %w", name, tenants.ErrInvalid)
	}
	return "'" + name + "'@'localhost'", nil
}

// GrantTemporary gives the right to make temporary tables to the sites that may, and takes it from all others.
func (s *Server) GrantTemporary(ctx context.Context, may func(name string) bool) error {
	const doing = "adjusting who may make temporary tables"
	rows, err := s.pool.QueryContext(ctx, `SELECT User, Create_tmp_table_priv = 'Y' FROM mysql.db
WHERE User LIKE 'site!_s%' ESCAPE '!' AND Host = 'localhost'`)
	if err != nil {
		return translate(doing, err)
	}
	defer func() { _ = rows.Close() }()
	var statements []string
	for rows.Next() {
		var name string
		var has bool
		if err := rows.Scan(&name, &has); err != nil {
			return translate(doing, err)
		}
		if wants := may(name); siteName.MatchString(name) && has != wants {
			statements = append(statements, temporaryTables(name, wants))
		}
	}
	if err := rows.Err(); err != nil {
		return translate(doing, err)
	}
	return s.execAll(ctx, doing, statements...)
}

func temporaryTables(name string, granted bool) string {
	verb, to := "GRANT", "TO"
	if !granted {
		verb, to = "REVOKE", "FROM"
	}
	return fmt.Sprintf("%s CREATE TEMPORARY TABLES ON `%s`.* %s '%s'@'localhost'", verb, escaped(name), to, name)
}

// escaped is the name of a database as rights are given on it, where the underscore is a wildcard.
func escaped(name string) string { return strings.ReplaceAll(name, "_", `\_`) }
