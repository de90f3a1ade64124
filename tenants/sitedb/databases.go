package sitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"chatiere/tenants"
	"chatiere/tenants/provision"
)

// applicationRights are what an application needs on its own database: no routines, no events, no files, no grants. Temporary
// tables are no part of them: they lie in a file of all sites together, which never shrinks and has no bound per user.
const applicationRights = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER, " +
	"LOCK TABLES, REFERENCES, CREATE VIEW, SHOW VIEW, TRIGGER"

// Ensure makes the database and its user with that password and rights on it alone, or puts them right. ErrConflict when
// the database is there but another instance's, or nobody's and not empty.
func (s *Server) Ensure(ctx context.Context, name, operation, password string) error {
	if !siteName.MatchString(name) || !operationID.MatchString(operation) || !plainSecret.MatchString(password) {
		return fmt.Errorf("making database %q: a name, operation or password of unexpected shape: %w", name, tenants.ErrInvalid)
	}
	doing := "making database " + name
	shape := fmt.Sprintf("`%s` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci COMMENT 'chatiere:%s:%s'", name, s.instance, operation)
	if err := s.exec(ctx, doing, "CREATE DATABASE IF NOT EXISTS "+shape); err != nil {
		return err
	}
	if err := s.ours(ctx, name); err != nil {
		// MariaDB makes the directory first and the file with the mark after it.
		if rest, unknown := s.rest(ctx, name); unknown != nil || !rest {
			return errors.Join(err, unknown)
		}
		if err := s.exec(ctx, doing, "ALTER DATABASE "+shape); err != nil {
			return err
		}
	}
	account := "'" + name + "'@'localhost'"
	with := fmt.Sprintf("%s IDENTIFIED BY '%s' WITH MAX_USER_CONNECTIONS %d", account, password, s.connections)
	statements := []string{
		"CREATE USER IF NOT EXISTS " + with,
		"ALTER USER " + with + " ACCOUNT UNLOCK",
		fmt.Sprintf("GRANT %s ON `%s`.* TO %s", applicationRights, escaped(name), account),
	}
	if s.temporary(name) {
		statements = append(statements, temporaryTables(name, true))
	}
	return s.execAll(ctx, doing, statements...)
}

func (s *Server) execAll(ctx context.Context, doing string, statements ...string) error {
	for _, statement := range statements {
		if err := s.exec(ctx, doing, statement); err != nil {
			return err
		}
	}
	return nil
}

// exec runs one statement. What it was does not go into the error: it may hold a password.
func (s *Server) exec(ctx context.Context, doing, statement string) error {
	_, err := s.pool.ExecContext(ctx, statement)
	return translate(doing, err)
}

// ours answers ErrConflict when the database is there and not this instance's.
func (s *Server) ours(ctx context.Context, name string) error {
	var comment string
	err := s.pool.QueryRowContext(ctx, "SELECT schema_comment FROM information_schema.schemata WHERE schema_name = ?", name).Scan(&comment)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return translate("reading the mark of database "+name, err)
	}
	if instance, _ := marked(comment); instance != s.instance {
		return fmt.Errorf("database %s bears the mark %q, not instance %q's: %w", name, comment, s.instance, tenants.ErrConflict)
	}
	return nil
}

// marked takes "chatiere:<instance>:<operation>" apart; both are empty when it is not one of ours.
func marked(comment string) (instance, operation string) {
	parts := strings.Split(comment, ":")
	if len(parts) != 3 || parts[0] != "chatiere" {
		return "", ""
	}
	return parts[1], parts[2]
}

// Exists reports database and user apart.
func (s *Server) Exists(ctx context.Context, name string) (database, user bool, err error) {
	err = s.pool.QueryRowContext(ctx, `SELECT
  EXISTS (SELECT 1 FROM information_schema.schemata WHERE schema_name = ?),
  EXISTS (SELECT 1 FROM mysql.global_priv WHERE User = ? AND Host = 'localhost')`, name, name).Scan(&database, &user)
	return database, user, translate("looking for database "+name, err)
}

// Drop removes both and ends their connections; absent ones are success. ErrConflict when the database is not ours; the
// rest of one that we had begun to drop is.
func (s *Server) Drop(ctx context.Context, name string) error {
	if !siteName.MatchString(name) {
		return fmt.Errorf("dropping database %q: not a site's: %w", name, tenants.ErrInvalid)
	}
	if err := s.ours(ctx, name); err != nil {
		if rest, unknown := s.rest(ctx, name); unknown != nil || !rest {
			return errors.Join(err, unknown)
		}
	}
	_, user, err := s.Exists(ctx, name)
	if err != nil {
		return err
	}
	doing, account := "dropping database "+name, "'"+name+"'@'localhost'"
	if user {
		// Locked first, so that nobody comes in again; then whoever holds a table open goes.
		if err := s.execAll(ctx, doing, "ALTER USER IF EXISTS "+account+" ACCOUNT LOCK", "KILL HARD CONNECTION USER "+account); err != nil {
			return err
		}
	}
	if err := s.empty(ctx, doing, name); err != nil {
		return err
	}
	return s.execAll(ctx, doing, "DROP DATABASE IF EXISTS `"+name+"`", "DROP USER IF EXISTS "+account)
}

// rest reports whether a database is unmarked and holds nothing: that is what a server leaves that was killed while it
// made or dropped one, since the mark lies in a file that comes after the directory, and goes before it. Nothing is lost
// with a database that holds nothing, whoever's it is.
func (s *Server) rest(ctx context.Context, name string) (bool, error) {
	var rest bool
	err := s.pool.QueryRowContext(ctx, `SELECT d.schema_comment = '' AND
  NOT EXISTS (SELECT 1 FROM information_schema.tables AS t WHERE t.table_schema = d.schema_name)
  FROM information_schema.schemata AS d WHERE d.schema_name = ?`, name).Scan(&rest)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	return rest, translate("looking whether database "+name+" was being dropped", err)
}

// empty removes every table and view of a database, so that it keeps its mark until nothing is left in it: of tables
// that MariaDB drops together with their database, a kill would leave some without.
func (s *Server) empty(ctx context.Context, doing, name string) error {
	rows, err := s.pool.QueryContext(ctx, "SELECT table_name, table_type = 'VIEW' FROM information_schema.tables WHERE table_schema = ?", name)
	if err != nil {
		return translate(doing, err)
	}
	defer func() { _ = rows.Close() }()
	var statements []string
	for rows.Next() {
		var table string
		var view bool
		if err := rows.Scan(&table, &view); err != nil {
			return translate(doing, err)
		}
		kind := "TABLE"
		if view {
			kind = "VIEW"
		}
		statements = append(statements, fmt.Sprintf("SET STATEMENT foreign_key_checks = 0 FOR DROP %s IF EXISTS `%s`.`%s`",
			kind, name, strings.ReplaceAll(table, "`", "``")))
	}
	if err := rows.Err(); err != nil {
		return translate(doing, err)
	}
	return s.execAll(ctx, doing, statements...)
}

// Size returns the bytes of the database's tables and indexes; ErrNotFound when there is no such database.
func (s *Server) Size(ctx context.Context, name string) (int64, error) {
	var bytes sql.NullInt64
	err := s.pool.QueryRowContext(ctx, `SELECT SUM(t.data_length + t.index_length)
  FROM information_schema.schemata AS d LEFT JOIN information_schema.tables AS t ON t.table_schema = d.schema_name
  WHERE d.schema_name = ? GROUP BY d.schema_name`, name).Scan(&bytes)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("measuring database %s: %w", name, tenants.ErrNotFound)
	}
	return bytes.Int64, translate("measuring database "+name, err)
}

// List returns every database and user whose name looks like a site's, whoever's they are, by name.
func (s *Server) List(ctx context.Context) ([]provision.FoundDatabase, error) {
	const doing = "listing the sites' databases"
	rows, err := s.pool.QueryContext(ctx, `SELECT name, MAX(is_database), MAX(is_user), MAX(comment) FROM (
  SELECT schema_name AS name, 1 AS is_database, 0 AS is_user, schema_comment AS comment FROM information_schema.schemata
  UNION ALL SELECT User, 0, 1, '' FROM mysql.global_priv) AS both_kinds
  WHERE name LIKE 'site!_s%' ESCAPE '!' GROUP BY name ORDER BY name`)
	if err != nil {
		return nil, translate(doing, err)
	}
	defer func() { _ = rows.Close() }()
	var out []provision.FoundDatabase
	for rows.Next() {
		var f provision.FoundDatabase
		var comment string
		if err := rows.Scan(&f.Name, &f.Database, &f.User, &comment); err != nil {
			return nil, translate(doing, err)
		}
		f.Instance, f.Operation = marked(comment)
		out = append(out, f)
	}
	return out, translate(doing, rows.Err())
}
