//go:build integration

package sitedb_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"chatiere/tenants"
	"chatiere/tenants/sitedb"
)

// command runs programs in the server's container by the command line of Docker.
type command struct{}

func (command) Exec(ctx context.Context, name string, e tenants.Exec) (tenants.ExecResult, error) {
	arguments := []string{"exec", "-i"}
	for _, v := range e.Env {
		arguments = append(arguments, "-e", v)
	}
	cmd := exec.CommandContext(ctx, "docker", append(append(arguments, name), e.Command...)...)
	var out, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = e.Stdin, &out, &stderr
	if e.Stdout != nil {
		cmd.Stdout = e.Stdout
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return tenants.ExecResult{ExitCode: exit.ExitCode(), Stderr: stderr.String()}, nil
	}
	return tenants.ExecResult{Output: out.String(), Stderr: stderr.String()}, err
}

func (b *bench) dumper(t *testing.T) *sitedb.Dumper {
	t.Helper()
	if b.server.Container == "" {
		t.Fatal("the server runs in no container of the tests: unset CHATIERE_TEST_MARIADB_SOCKET")
	}
	return &sitedb.Dumper{Server: b.Server, Engine: command{}, Container: b.server.Container, User: "admin_" + b.instance, Password: password}
}

// fillWithOddThings makes what has been lost by others: emoji, every byte, large rows, bytes of another character set, views and
// triggers with an owner.
func fillWithOddThings(t *testing.T, db *sql.DB) {
	t.Helper()
	var all strings.Builder
	for i := range 256 {
		fmt.Fprintf(&all, "%02x", i)
	}
	for _, statement := range []string{
		"CREATE TABLE posts (id INT PRIMARY KEY AUTO_INCREMENT, title VARCHAR(200), body LONGTEXT, raw LONGBLOB) CHARSET utf8mb4",
		"INSERT INTO posts (title, raw) VALUES ('🎥 é 你', x'" + all.String() + "')",
		"INSERT INTO posts (title, body) VALUES ('''; DROP TABLE posts; -- \\n', 'a:1:{s:4:\"🎥\";s:2:\"é\";}')",
		"INSERT INTO posts (title, body) VALUES ('large', REPEAT('grand ', 1000000))",
		"INSERT INTO posts (title, body) VALUES ('line', '\n-- Dump completed\n/*!50013 DEFINER=`a`@`b` */\n')",
		"CREATE TABLE old (id INT PRIMARY KEY, name VARCHAR(50)) CHARSET latin1",
		"INSERT INTO old VALUES (1, x'C3A9'), (2, 'é'), (3, NULL)",
		"CREATE TABLE log (n INT)",
		"CREATE TRIGGER count_posts AFTER INSERT ON posts FOR EACH ROW INSERT INTO log VALUES (NEW.id)",
		"CREATE VIEW titles AS SELECT id, title FROM posts",
		"INSERT INTO posts (title) VALUES ('after the trigger')",
		"CREATE TABLE generated (a INT, b INT AS (a + 1) STORED, c DATETIME(6), d BIT(3), e DOUBLE, f JSON, PRIMARY KEY (a))",
		"INSERT INTO generated (a, c, d, e, f) VALUES (1, '2026-12-01 01:02:03.456789', b'101', 1e-300, '{\"é\": [1]}')",
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%.200s: %v", statement, err)
		}
	}
}

// content returns the checksum of each table, and what views say.
func content(t *testing.T, db *sql.DB) string {
	t.Helper()
	var out strings.Builder
	for _, table := range []string{"posts", "old", "log", "generated"} {
		var name string
		var sum int64
		must(t, db.QueryRow("CHECKSUM TABLE "+table+" EXTENDED").Scan(&name, &sum))
		fmt.Fprintln(&out, table, sum)
	}
	var titles int
	must(t, db.QueryRow("SELECT COUNT(*) FROM titles").Scan(&titles))
	fmt.Fprintln(&out, "titles", titles)
	return out.String()
}

func TestADumpComesBackWithEverythingInIt(t *testing.T) {
	b := open(t)
	d := b.dumper(t)
	name := b.site(t)
	db := b.application(t, name, password, name)
	fillWithOddThings(t, db)
	var dump bytes.Buffer
	locked, err := d.Dump(b.ctx, name, &dump)
	if err != nil || len(locked) != 0 {
		t.Fatalf("dumping: locked %v, %v", locked, err)
	}
	if !bytes.HasSuffix(dump.Bytes(), []byte("-- Dump completed\n")) {
		t.Errorf("the dump ends with %q", dump.Bytes()[dump.Len()-80:])
	}

	// The second generation, after the first one's user is gone: nothing outside the dump is needed.
	second := name + "_2"
	must(t, b.Ensure(b.ctx, second, "01op", renewed))
	t.Cleanup(func() { b.run(t, "DROP DATABASE IF EXISTS "+second, "DROP USER IF EXISTS "+second+"@localhost") })
	before := content(t, db)
	b.run(t, "DROP USER "+name+"@localhost")
	must(t, d.Import(b.ctx, second, renewed, bytes.NewReader(dump.Bytes())))
	restored := b.application(t, second, renewed, second)
	if got := content(t, restored); got != before {
		t.Errorf("restored\n%s, was\n%s", got, before)
	}
	if _, err := restored.Exec("INSERT INTO posts (title) VALUES ('by the trigger again')"); err != nil {
		t.Errorf("writing after the restore, with its trigger: %v", err)
	}
	if _, err := restored.Exec("DELETE FROM posts WHERE title = 'by the trigger again'"); err != nil {
		t.Fatal(err)
	}
	if _, err := restored.Exec("DELETE FROM log WHERE n = (SELECT MAX(n) FROM (SELECT n FROM log) AS x)"); err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if _, err := d.Dump(b.ctx, second, &again); err != nil {
		t.Fatal(err)
	}
	// Apart from owners, names and the counter, the dump of the same content is the same.
	odd := regexp.MustCompile("(?m)DEFINER=`[^`]+`@`[^`]+`|AUTO_INCREMENT=\\d+|^-- .*$")
	if one, two := odd.ReplaceAll(dump.Bytes(), nil), odd.ReplaceAll(again.Bytes(), nil); !bytes.Equal(one, two) {
		t.Errorf("the dump of what was restored has %d bytes, the first one %d, or differs", len(two), len(one))
	}
}

func TestADumpReachesNothingButItsDatabase(t *testing.T) {
	b := open(t)
	d := b.dumper(t)
	name, other := b.site(t), b.site(t)
	for _, statement := range []string{
		"CREATE DATABASE intruder;\n",
		"USE `" + other + "`;\nCREATE TABLE x (a INT);\n",
		"CREATE TABLE `" + other + "`.x (a INT);\n",
		"GRANT ALL ON *.* TO '" + name + "'@'localhost';\n",
		"LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE x;\n",
		"SELECT 1 INTO OUTFILE '/tmp/out';\n",
		"CREATE TABLE",
	} {
		if err := d.Import(b.ctx, name, password, strings.NewReader(statement)); err == nil {
			t.Errorf("%q was imported", statement)
		}
	}
	for _, statement := range []string{"\\! touch /tmp/shell-was-here\n", "system touch /tmp/shell-was-here\n"} {
		_ = d.Import(b.ctx, name, password, strings.NewReader(statement)) // what becomes of it is asked below
		result, err := command{}.Exec(b.ctx, b.server.Container, tenants.Exec{Command: []string{"ls", "/tmp"}})
		if err != nil || strings.Contains(result.Output, "shell-was-here") {
			t.Errorf("%q reached the shell: %v %v", statement, result, err)
		}
	}
	rows, err := b.application(t, other, password, other).Query("SHOW TABLES")
	must(t, err)
	defer func() { _ = rows.Close() }()
	if rows.Next() || rows.Err() != nil {
		t.Errorf("a table was made in another site's database: %v", rows.Err())
	}
}
