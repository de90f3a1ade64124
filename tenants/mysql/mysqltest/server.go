// Package mysqltest gives tests a real MariaDB: one server for a test process, a fresh database for each test.
//
// With CHATIERE_TEST_MARIADB_SOCKET and CHATIERE_TEST_MARIADB_ROOT_PASSWORD_FILE set, the server is one that somebody else
// started; otherwise Main starts a container of CHATIERE_TEST_MARIADB_IMAGE and removes it. It is never imported by the program.
package mysqltest

import (
	"bytes"
	"chatiere/tenants/database"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	defaultImage = "chatiere/mariadb:latest" // left by "make images"
	startTime    = 2 * time.Minute
	mariadbUID   = 64040 // the account inside the image
)

// Server is a running MariaDB.
type Server struct {
	Socket       string
	RootPassword string
	Container    string // "" when somebody else started it
	dir          string
}

var (
	once    sync.Once
	running *Server
	failure error
)

// Profile is which settings the server starts with: "panel", or "sites" where the tests are about the sites' databases.
var Profile = "panel"

// Main runs a package's tests and removes the server they used: call it from TestMain as os.Exit(mysqltest.Main(m)).
func Main(m *testing.M) int {
	code := m.Run()
	if running == nil {
		return code
	}
	if err := running.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "removing the test server:", err)
		return 1
	}
	return code
}

// Start returns the process's server; the first call starts it.
func Start(t testing.TB) *Server {
	t.Helper()
	once.Do(func() { running, failure = start() })
	if failure != nil {
		t.Fatalf("starting MariaDB for tests: %v", failure)
	}
	return running
}

func start() (*Server, error) {
	if socket := os.Getenv("CHATIERE_TEST_MARIADB_SOCKET"); socket != "" {
		password, err := os.ReadFile(os.Getenv("CHATIERE_TEST_MARIADB_ROOT_PASSWORD_FILE"))
		if err != nil {
			return nil, fmt.Errorf("reading CHATIERE_TEST_MARIADB_ROOT_PASSWORD_FILE: %w", err)
		}
		return &Server{Socket: socket, RootPassword: strings.TrimSpace(string(password))}, nil
	}
	dir, err := os.MkdirTemp("", "cm") // short: the kernel takes no socket path over 107 bytes
	if err != nil {
		return nil, err
	}
	s := &Server{Socket: filepath.Join(dir, "run/mysqld.sock"), RootPassword: rand.Text(), dir: dir}
	if err := s.launch(); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *Server) launch() error {
	secret := filepath.Join(s.dir, "db_root")
	for _, do := range []func() error{
		func() error { return os.Chmod(s.dir, 0o755) },
		func() error { return os.Mkdir(filepath.Dir(s.Socket), 0o755) },
		func() error { return os.Chown(filepath.Dir(s.Socket), mariadbUID, mariadbUID) },
		func() error { return os.WriteFile(secret, []byte(s.RootPassword), 0o400) },
		func() error { return os.Chown(secret, mariadbUID, mariadbUID) },
	} {
		if err := do(); err != nil {
			return err
		}
	}
	image := os.Getenv("CHATIERE_TEST_MARIADB_IMAGE")
	if image == "" {
		image = defaultImage
	}
	id, err := docker("run", "--detach", "--label", "chatiere.test=mysql", "--env", "MARIADB_PROFILE="+Profile,
		"--tmpfs", fmt.Sprintf("/var/lib/mysql:uid=%d,gid=%d,mode=0750", mariadbUID, mariadbUID),
		"--volume", filepath.Dir(s.Socket)+":/run/mysqld", "--volume", secret+":/run/secrets/db_root:ro",
		// Nothing is kept, so nothing need survive a power cut.
		image, "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=OFF", "--max-connections=300",
		// Each instant drop of a column leaves its place in the row; tests that go down and up often would fill the row.
		"--innodb-instant-alter-column-allowed=never")
	if err != nil {
		return err
	}
	s.Container = id
	return s.await()
}

// await returns once root is let in.
func (s *Server) await() error {
	pool, err := s.connect("root", s.RootPassword, "")
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	for {
		err := pool.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			said, _ := docker("logs", s.Container)
			return fmt.Errorf("%w: %s", err, said)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (s *Server) stop() error {
	if s.dir == "" {
		return nil
	}
	var err error
	if s.Container != "" {
		_, err = docker("rm", "--force", "--volumes", s.Container)
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

func docker(args ...string) (string, error) {
	var out, complaint bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	c := exec.CommandContext(ctx, "docker", args...)
	c.Stdout, c.Stderr = &out, &complaint
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", args[0], err, complaint.String())
	}
	return strings.TrimSpace(out.String()), nil
}

func (s *Server) connect(user, password, name string) (*sql.DB, error) {
	return database.Connect(database.Config{
		Socket: s.Socket, User: user, Password: password, Database: name, Log: slog.New(slog.DiscardHandler),
	})
}

// Root returns a connection pool of the server's root, closed with the test.
func (s *Server) Root(t testing.TB) *sql.DB {
	t.Helper()
	return s.open(t, "root", s.RootPassword, "")
}

func (s *Server) open(t testing.TB, user, password, database string) *sql.DB {
	t.Helper()
	pool, err := s.connect(user, password, database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	return pool
}
