//go:build integration

package sitedb_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"chatiere/tenants"
	"chatiere/tenants/dbguard"
)

// session is one connection of a site.
func (b *bench) session(t *testing.T, name string) *sql.Conn {
	t.Helper()
	conn, err := b.application(t, name, password, name).Conn(b.ctx)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = conn.ExecContext(b.ctx, "SET SESSION sql_mode = DEFAULT") // the server's, as applications have it
	must(t, err)
	return conn
}

func (b *bench) load(t *testing.T, name string) dbguard.Load {
	t.Helper()
	loads, err := b.Loads(b.ctx)
	must(t, err)
	for _, l := range loads {
		if l.Database == name {
			return l
		}
	}
	return dbguard.Load{}
}

// awaitLoad waits until what a site does looks as expected. It asks less than ten times a second: MariaDB makes the table
// of transactions anew only when nobody has read it for 100 ms.
func (b *bench) awaitLoad(t *testing.T, name, what string, ok func(dbguard.Load) bool) {
	t.Helper()
	var l dbguard.Load
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(250 * time.Millisecond) {
		if l = b.load(t, name); ok(l) {
			return
		}
	}
	t.Errorf("%s is not seen: %+v", what, l)
}

func TestWhatASiteTakesOfTheServerIsSeen(t *testing.T) {
	b := open(t)
	name, other := b.site(t), b.site(t)
	greedy, quiet := b.session(t, name), b.session(t, other)
	do := func(statement string) {
		t.Helper()
		if _, err := greedy.ExecContext(b.ctx, statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	do("SET @v1 = REPEAT('x', 20000000)")
	do("SET @v2 = REPEAT('x', 20000000)")
	b.awaitLoad(t, name, "the memory of variables", func(l dbguard.Load) bool { return l.Memory > 40_000_000 && l.Connections == 1 })

	do("CREATE TABLE t (a INT) ENGINE=InnoDB")
	do("START TRANSACTION")
	do("INSERT INTO t VALUES (1)")
	b.awaitLoad(t, name, "a transaction that stays open", func(l dbguard.Load) bool { return l.Transaction >= time.Second })
	do("ROLLBACK")
	if l := b.load(t, name); l.Statements != 0 {
		t.Errorf("an idle connection looks like a statement: %+v", l)
	}

	busy := make(chan error, 1)
	go func() { _, err := greedy.ExecContext(b.ctx, "SELECT BENCHMARK(2000000000, MD5('x'))"); busy <- err }()
	b.awaitLoad(t, name, "a statement that takes long", func(l dbguard.Load) bool { return l.Running > 500*time.Millisecond })
	must(t, b.Kill(b.ctx, name))
	if err := <-busy; err == nil {
		t.Error("a killed statement came to its end")
	}
	waiting, cancel := context.WithCancel(b.ctx)
	defer cancel()
	slept := make(chan error, 1)
	sleeper := b.session(t, name)
	go func() { _, err := sleeper.ExecContext(waiting, "SELECT SLEEP(600)"); slept <- err }()
	time.Sleep(time.Second) // not a wait: sleeping must go on not to count as work
	if l := b.load(t, name); l.Connections != 1 || l.Statements != 1 || l.Running > 100*time.Millisecond {
		t.Errorf("sleeping counts as work: %+v", l)
	}
	cancel()
	<-slept
	if l := b.load(t, other); l.Connections != 1 || l.Memory > 2<<20 || l.Running > time.Second || l.Transaction != 0 {
		t.Errorf("an idle neighbour looks like %+v", l)
	}
	must(t, quiet.PingContext(b.ctx))
}

// What the forwarder takes for answered is still seen here: the answer to the first of several statements has begun.
func TestTheSecondOfSeveralStatementsIsSeen(t *testing.T) {
	b := open(t)
	name := b.site(t)
	conf := driver.NewConfig()
	conf.Net, conf.Addr, conf.User, conf.Passwd, conf.DBName, conf.MultiStatements = "unix", b.server.Socket, name, password, name, true
	connector, err := driver.NewConnector(conf)
	must(t, err)
	pool := sql.OpenDB(connector)
	t.Cleanup(func() { _ = pool.Close() })
	waiting, cancel := context.WithCancel(b.ctx)
	slept := make(chan error, 1)
	go func() {
		rows, err := pool.QueryContext(waiting, "SELECT 1; SELECT SLEEP(600)")
		if err == nil {
			for rows.NextResultSet() {
			}
			err = rows.Close()
		}
		slept <- err
	}()
	b.awaitLoad(t, name, "the second statement", func(l dbguard.Load) bool { return l.Connections == 1 && l.Statements == 1 })
	cancel()
	<-slept
}

func TestALockedSiteStaysOutUntilItIsUnlocked(t *testing.T) {
	b := open(t)
	name, other := b.site(t), b.site(t)
	greedy, quiet := b.session(t, name), b.session(t, other)
	must(t, b.Lock(b.ctx, name))
	must(t, b.Lock(b.ctx, name))
	if greedy.PingContext(b.ctx) == nil {
		t.Error("a locked site goes on")
	}
	again := b.application(t, name, password, name)
	if err := again.PingContext(b.ctx); err == nil {
		t.Error("a locked site comes in again")
	}
	must(t, quiet.PingContext(b.ctx))
	must(t, b.Unlock(b.ctx, name))
	must(t, b.Unlock(b.ctx, name))
	must(t, again.PingContext(b.ctx))
	must(t, b.Unlock(b.ctx, "site_s00000000x")) // nobody of that name
	wants(t, "locking an account of ours", b.Lock(b.ctx, "root"), tenants.ErrInvalid)
}

func number(err error) uint16 {
	var said *driver.MySQLError
	if errors.As(err, &said) {
		return said.Number
	}
	return 0
}

func TestTablesOfOtherEnginesBecomeInnoDBOrAreRefused(t *testing.T) {
	b := open(t)
	name := b.site(t)
	may := func(string) bool { return true }
	must(t, b.GrantTemporary(b.ctx, may))
	conn := b.session(t, name)
	for _, create := range []string{
		"CREATE TABLE %s (a INT) ENGINE=MyISAM", "CREATE TABLE %s (a INT) ENGINE=Aria", "CREATE TABLE %s (a INT) ENGINE=MEMORY",
		"CREATE TABLE %s (t TEXT, FULLTEXT (t)) ENGINE=MyISAM", "CREATE TABLE %s (a INT NOT NULL) ENGINE=CSV",
		"CREATE TEMPORARY TABLE %s (a INT) ENGINE=MEMORY", "CREATE TEMPORARY TABLE %s (a INT) ENGINE=MyISAM",
	} {
		table := "t" + strings.TrimPrefix(tenants.NewSiteID(), "s")
		if _, err := conn.ExecContext(b.ctx, strings.Replace(create, "%s", table, 1)); err != nil {
			t.Errorf("%s: %v", create, err)
			continue
		}
		var same, shape string
		must(t, conn.QueryRowContext(b.ctx, "SHOW CREATE TABLE "+table).Scan(&same, &shape))
		if !strings.Contains(shape, "ENGINE=InnoDB") {
			t.Errorf("%s made %s", create, shape)
		}
	}
	for _, refused := range []struct {
		statement string
		number    uint16
	}{
		{"CREATE TABLE x (a INT, b INT AUTO_INCREMENT, PRIMARY KEY (a, b)) ENGINE=MyISAM", 1075},
		{"SET SESSION enforce_storage_engine = NULL", 1227},
		{"SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION'", 0},
		{"CREATE TABLE x (a INT) ENGINE=MEMORY", 1290},
		{"CREATE TEMPORARY TABLE x (a INT) ENGINE=MyISAM", 1290},
	} {
		if _, err := conn.ExecContext(b.ctx, refused.statement); number(err) != refused.number || refused.number == 0 && err != nil {
			t.Errorf("%s: %v, want error %d", refused.statement, err, refused.number)
		}
	}
}

func TestASessionCannotTakeWhatItLikes(t *testing.T) {
	b := open(t)
	conn := b.session(t, b.site(t))
	_, err := conn.ExecContext(b.ctx, "SET SESSION sql_mode = ''") // so that too much is cut off and not refused
	must(t, err)
	for _, variable := range []string{
		"max_heap_table_size", "tmp_table_size", "max_tmp_session_space_usage", "max_session_mem_used", "sort_buffer_size", "join_buffer_size",
		"mrr_buffer_size", "join_buffer_space_limit", "read_buffer_size", "read_rnd_buffer_size", "bulk_insert_buffer_size",
		"preload_buffer_size", "query_prealloc_size", "query_alloc_block_size",
		"range_alloc_block_size", "transaction_prealloc_size", "transaction_alloc_block_size", "optimizer_trace_max_mem_size", "group_concat_max_len",
	} {
		_, err := conn.ExecContext(b.ctx, "SET SESSION "+variable+" = 4000000000")
		var is int64
		if err == nil {
			err = conn.QueryRowContext(b.ctx, "SELECT @@SESSION."+variable).Scan(&is)
		}
		if err != nil || is > 64<<20 {
			t.Errorf("a session sets %s to %d (%v)", variable, is, err)
		}
	}
}

func TestTemporaryTablesAreForThoseWhoMay(t *testing.T) {
	b := open(t)
	name, other := b.site(t), b.site(t)
	b.run(t, "GRANT CREATE TEMPORARY TABLES ON `"+strings.ReplaceAll(other, "_", `\_`)+"`.* TO "+other+"@localhost") // as sites once had it
	may := func(database string) bool { return database == name }
	must(t, b.GrantTemporary(b.ctx, may))
	must(t, b.GrantTemporary(b.ctx, may))
	const make = "CREATE TEMPORARY TABLE scratch (a INT)"
	if _, err := b.session(t, name).ExecContext(b.ctx, make); err != nil {
		t.Errorf("the site that may: %v", err)
	}
	if _, err := b.session(t, other).ExecContext(b.ctx, make); number(err) != 1044 {
		t.Errorf("the site that may not: %v", err)
	}
	must(t, b.GrantTemporary(b.ctx, func(string) bool { return false }))
	if _, err := b.session(t, name).ExecContext(b.ctx, make); number(err) != 1044 {
		t.Errorf("the site that no longer may: %v", err)
	}
}
