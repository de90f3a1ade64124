// Package mysql keeps the domain's records in MariaDB: associations, people, sites, operations, the audit trail and traffic.
//
// It is the only room of the domain that knows SQL. Records are structs of its own, mapped to the domain's types by
// hand; the schema comes from package migrations, never from these structs. Start reading at Store.
package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"time"
	_ "time/tzdata" // days are those of Paris, and the image has no zone files

	driver "github.com/go-sql-driver/mysql"
	gormmysql "gorm.io/driver/mysql"
	"gorm.io/gorm"
)

// Config says where the database is and who we are to it.
type Config struct {
	Socket   string // path of a unix socket; wins over Address
	Address  string // host:port
	Database string
	User     string
	Password string
	FirstUID int // range of the sites' user ids
	LastUID  int
	Log      *slog.Logger
}

// Pools are small: the whole platform shares some eighty connections. A connection is given up long before the server's
// wait_timeout would cut it under a query.
const (
	maxOpen     = 12
	maxIdle     = 4
	maxLifetime = 5 * time.Minute
	maxIdleTime = time.Minute
)

// Store is the database as the use cases, the runner and the pages see it. It is safe for concurrent use.
type Store struct {
	db                *gorm.DB
	pool              *sql.DB
	firstUID, lastUID int
	paris             *time.Location
}

// Open returns a store. It does not connect yet: a database that is down makes methods answer tenants.ErrUnavailable
// until it is back, and keeps nothing from starting.
func Open(ctx context.Context, c Config) (*Store, error) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		return nil, fmt.Errorf("loading the time zone: %w", err)
	}
	pool, err := Connect(c)
	if err != nil {
		return nil, err
	}
	db, err := gorm.Open(gormmysql.New(gormmysql.Config{Conn: pool, SkipInitializeWithVersion: true}), &gorm.Config{
		TranslateError:         true,
		DisableAutomaticPing:   true,
		SkipDefaultTransaction: true, // one statement is a transaction; more than one go through Transact
		NowFunc:                func() time.Time { return time.Now().UTC() },
		Logger:                 slowLog{c.Log},
	})
	if err != nil {
		_ = pool.Close() // nothing was opened yet
		return nil, fmt.Errorf("preparing the database layer: %w", err)
	}
	c.Log.DebugContext(ctx, "database configured", "database", c.Database, "user", c.User)
	return &Store{db: db, pool: pool, firstUID: c.FirstUID, lastUID: c.LastUID, paris: paris}, nil
}

// Connect returns a bare connection pool with the settings every connection of ours needs; migrations run over one.
// It does not connect yet.
func Connect(c Config) (*sql.DB, error) {
	conf := driver.NewConfig()
	conf.Net, conf.Addr = "tcp", c.Address
	if c.Socket != "" {
		conf.Net, conf.Addr = "unix", c.Socket
	}
	conf.User, conf.Passwd, conf.DBName = c.User, c.Password, c.Database
	conf.ParseTime, conf.Loc = true, time.UTC
	conf.ClientFoundRows = true // RowsAffected counts what a WHERE matched: fences rest on it
	conf.InterpolateParams = true
	conf.Timeout = 5 * time.Second
	conf.Logger = driverLog{c.Log}
	conf.Params = map[string]string{
		"time_zone":                "'+00:00'",
		"sql_mode":                 "'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
		"innodb_lock_wait_timeout": "10",
		"max_statement_time":       "60",
	}
	if err := conf.Apply(driver.Charset("utf8mb4", "utf8mb4_unicode_ci")); err != nil {
		return nil, fmt.Errorf("configuring the database: %w", err)
	}
	connector, err := driver.NewConnector(conf)
	if err != nil {
		return nil, fmt.Errorf("configuring the database: %w", err)
	}
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(maxOpen)
	pool.SetMaxIdleConns(maxIdle)
	pool.SetConnMaxLifetime(maxLifetime)
	pool.SetConnMaxIdleTime(maxIdleTime)
	return pool, nil
}

// Pool is the store's connections, for another room's records in the same database. The store closes it.
func (s *Store) Pool() *sql.DB { return s.pool }

// Close gives the connections back.
func (s *Store) Close() error { return s.pool.Close() }

// Ping asks the database whether it answers.
func (s *Store) Ping(ctx context.Context) error {
	return translate("asking the database", s.pool.PingContext(ctx))
}

// driverLog takes what the driver would print to the standard error stream.
type driverLog struct{ log *slog.Logger }

// Print implements the driver's Logger.
func (d driverLog) Print(v ...any) {
	d.log.Warn("database connection", "detail", fmt.Sprint(v...))
}
