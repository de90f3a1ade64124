package sitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"chatiere/tenants"
)

// Dumper writes and reads logical dumps of sites' databases with MariaDB's own programs, which run in the container of the
// server: their version is the server's.
type Dumper struct {
	Server    *Server
	Engine    Executor
	Container string // of the server
	// User and Password are those of [Options].
	User, Password string
}

// Executor runs a command in a container, see [tenants.Engine].
type Executor interface {
	Exec(ctx context.Context, name string, e tenants.Exec) (tenants.ExecResult, error)
}

// dumpTimeout bounds one dump or import.
const dumpTimeout = 6 * time.Hour

// insideSocket is the server's socket in its own container.
const insideSocket = "/run/mysqld/mysqld.sock"

// Dump writes a dump of a database to w: tables, views and triggers as they were at one moment. What no transaction covers
// (tables of another engine than InnoDB) is dumped after the rest, locked against writing, and returned. The dump of the
// same content is the same, byte by byte.
func (d *Dumper) Dump(ctx context.Context, database string, w io.Writer) (locked []string, err error) {
	if !siteName.MatchString(database) {
		return nil, fmt.Errorf("dumping database %q: %w", database, tenants.ErrInvalid)
	}
	if locked, err = d.Server.untransactional(ctx, database); err != nil {
		return nil, err
	}
	consistent := []string{"--single-transaction"}
	for _, table := range locked {
		consistent = append(consistent, "--ignore-table="+database+"."+table)
	}
	if err := d.dump(ctx, w, append(consistent, database)...); err != nil || len(locked) == 0 {
		return nil, err
	}
	return locked, d.dump(ctx, w, append([]string{"--lock-tables", database}, locked...)...)
}

func (d *Dumper) dump(ctx context.Context, w io.Writer, arguments ...string) error {
	return d.run(ctx, tenants.Exec{
		Command: append([]string{
			"mariadb-dump", "--no-defaults", "--socket=" + insideSocket, "--user=" + d.User, "--default-character-set=utf8mb4", "--quick",
			"--skip-dump-date", "--order-by-primary", "--hex-blob", "--triggers", "--skip-routines", "--skip-events", "--no-tablespaces",
			"--max-allowed-packet=1G",
		}, arguments...),
		Env: []string{"MYSQL_PWD=" + d.Password}, Timeout: dumpTimeout, Stdout: w,
	})
}

// Import reads a dump into a database as that database's own user: whatever stands in it, nothing else can be reached.
func (d *Dumper) Import(ctx context.Context, database, password string, r io.Reader) error {
	if !siteName.MatchString(database) {
		return fmt.Errorf("importing into database %q: %w", database, tenants.ErrInvalid)
	}
	return d.run(ctx, tenants.Exec{
		Command: []string{
			"mariadb", "--no-defaults", "--socket=" + insideSocket, "--user=" + database, "--default-character-set=utf8mb4", "--batch",
			"--max-allowed-packet=1G", database,
		},
		Env: []string{"MYSQL_PWD=" + password}, Timeout: dumpTimeout, Stdin: io.MultiReader(strings.NewReader(sandbox), newDefinerReader(r)),
	})
}

// sandbox makes the client refuse commands of its own, which reach the shell and files. Dumps begin with it since 2024.
const sandbox = "/*M!999999\\- enable the sandbox mode */ \n"

func (d *Dumper) run(ctx context.Context, x tenants.Exec) error {
	result, err := d.Engine.Exec(ctx, d.Container, x)
	if err != nil {
		return err
	}
	if result.ExitCode != 0 {
		return fmt.Errorf("%s ended with %d: %.1000s", x.Command[0], result.ExitCode, result.Stderr)
	}
	return nil
}

// untransactional returns the tables that a transaction does not cover. ErrInvalid when the server cannot say what one is.
func (s *Server) untransactional(ctx context.Context, database string) ([]string, error) {
	doing := "listing the tables of database " + database
	rows, err := s.pool.QueryContext(ctx, "SELECT table_name, engine FROM information_schema.tables "+
		"WHERE table_schema = ? AND table_type = 'BASE TABLE' AND (engine IS NULL OR engine <> 'InnoDB') ORDER BY table_name", database)
	if err != nil {
		return nil, translate(doing, err)
	}
	defer func() { _ = rows.Close() }() // Err tells
	var out []string
	var damaged []error
	for rows.Next() {
		var name string
		var engine sql.NullString
		if err := rows.Scan(&name, &engine); err != nil {
			return nil, translate(doing, err)
		}
		if !engine.Valid {
			damaged = append(damaged, fmt.Errorf("the server cannot open table %s of database %s: %w", name, database, tenants.ErrInvalid))
		}
		out = append(out, name)
	}
	return out, errors.Join(translate(doing, rows.Err()), errors.Join(damaged...))
}
