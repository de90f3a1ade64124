// Package sitedb makes and removes the sites' databases on the MariaDB that all sites share: one database and one user
// of the same name for each, known by their names and, databases, by their COMMENT.
//
// It implements provision.Databases and knows nothing of what the applications keep in there. Start reading at Server.
package sitedb

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/go-sql-driver/mysql"

	"chatiere/tenants"
	"chatiere/tenants/database"
	"chatiere/tenants/provision"
)

// Options say where the server is and who we are.
type Options struct {
	Socket         string
	User           string
	Password       string
	Instance       string // written into each database's COMMENT; databases of another instance are not touched
	MaxConnections int    // of one site at a time; 0: 20
	// Temporary says which databases' users may make temporary tables; nil: none.
	Temporary func(name string) bool
	Log       *slog.Logger
}

const usualConnections = 20

// Server implements provision.Databases.
type Server struct {
	pool        *sql.DB
	instance    string
	connections int
	temporary   func(name string) bool
}

var (
	_ provision.Databases    = (*Server)(nil)
	_ provision.DatabaseList = (*Server)(nil)
)

// What may stand inside a statement. Everything else goes as a parameter.
var (
	siteName     = regexp.MustCompile(`^site_s[0-9a-z]{9}(_[1-9][0-9]{0,3})?$`)
	instanceName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	operationID  = regexp.MustCompile(`^[0-9a-zA-Z_-]{1,64}$`)
	plainSecret  = regexp.MustCompile(`^[0-9A-Za-z_-]{16,128}$`)
	accountName  = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)
)

// Open returns a server. It does not connect yet: a server that is down makes methods answer tenants.ErrUnavailable.
func Open(o Options) (*Server, error) {
	if !instanceName.MatchString(o.Instance) {
		return nil, fmt.Errorf("opening the sites' database: instance %q: %w", o.Instance, tenants.ErrInvalid)
	}
	conf := mysql.NewConfig()
	conf.Net, conf.Addr, conf.User, conf.Passwd = "unix", o.Socket, o.User, o.Password
	conf.Timeout = 5 * time.Second
	conf.InterpolateParams = true
	conf.Logger = database.DriverLog{Log: o.Log.With("server", "sites")}
	conf.Params = map[string]string{"lock_wait_timeout": "20", "max_statement_time": "60"}
	connector, err := mysql.NewConnector(conf)
	if err != nil {
		return nil, fmt.Errorf("opening the sites' database: %w", err)
	}
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(6)
	pool.SetMaxIdleConns(2)
	pool.SetConnMaxIdleTime(30 * time.Second)
	return over(pool, o), nil
}

func over(pool *sql.DB, o Options) *Server {
	if o.MaxConnections == 0 {
		o.MaxConnections = usualConnections
	}
	if o.Temporary == nil {
		o.Temporary = func(string) bool { return false }
	}
	return &Server{pool: pool, instance: o.Instance, connections: o.MaxConnections, temporary: o.Temporary}
}

// Close gives the connections back.
func (s *Server) Close() error { return s.pool.Close() }

// Ping asks the server whether it answers.
func (s *Server) Ping(ctx context.Context) error {
	return translate("asking the sites' database", s.pool.PingContext(ctx))
}

// AdminStatements returns what the server's root runs, as often as it likes, to make the account that Open connects as.
// It holds exactly what this package needs, on the sites' databases alone.
func AdminStatements(user, password string) ([]string, error) {
	if !accountName.MatchString(user) || !plainSecret.MatchString(password) {
		return nil, fmt.Errorf("preparing the account of the sites' database: %w", tenants.ErrInvalid)
	}
	account := "'" + user + "'@'localhost'"
	return []string{
		fmt.Sprintf("CREATE USER IF NOT EXISTS %s IDENTIFIED BY '%s'", account, password),
		fmt.Sprintf("ALTER USER %s IDENTIFIED BY '%s'", account, password),
		fmt.Sprintf("GRANT CREATE USER, PROCESS, CONNECTION ADMIN ON *.* TO %s", account),
		fmt.Sprintf("GRANT %s, CREATE TEMPORARY TABLES ON `site\\_%%`.* TO %s WITH GRANT OPTION", applicationRights, account),
		fmt.Sprintf("GRANT SELECT (Host, User) ON mysql.global_priv TO %s", account),
		fmt.Sprintf("GRANT SELECT (Host, User, Create_tmp_table_priv) ON mysql.db TO %s", account),
	}, nil
}

// Error numbers of MariaDB that mean that our account is not accepted or lacks a right. None of them passes by itself.
var refused = []uint16{
	1044, // access denied to a database
	1045, // access denied: wrong password, or no such account
	1142, // command denied on a table
	1143, // command denied on a column
	1227, // a global privilege is missing
	1698, // access denied: the account signs in otherwise than by password
	4151, // access denied: the account is locked
}

func translate(doing string, err error) error {
	if database.Numbered(err, refused...) {
		return fmt.Errorf("%s: %w: %w", doing, tenants.ErrRefused, err)
	}
	return database.Translate(doing, err)
}
