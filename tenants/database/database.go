// Package database is the connection to MariaDB that the stores of several rooms share: pool, transactions, and the domain's
// sentinels for the server's errors. It knows no table.
//
// Start reading at DB.
package database

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

// DB is a database. It is safe for concurrent use.
type DB struct {
	gorm *gorm.DB
	pool *sql.DB
}

// Open returns a database. It does not connect yet: while the server is down, everything answers tenants.ErrUnavailable, and
// nothing is kept from starting.
func Open(c Config) (*DB, error) {
	pool, err := Connect(c)
	if err != nil {
		return nil, err
	}
	layer, err := gorm.Open(gormmysql.New(gormmysql.Config{Conn: pool, SkipInitializeWithVersion: true}), &gorm.Config{
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
	c.Log.Debug("database configured", "database", c.Database, "user", c.User)
	return &DB{gorm: layer, pool: pool}, nil
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
	conf.Logger = DriverLog{c.Log}
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

// Pool returns the connections, for migrations. Close closes it.
func (d *DB) Pool() *sql.DB { return d.pool }

// Close gives the connections back.
func (d *DB) Close() error { return d.pool.Close() }

// Ping asks the database whether it answers.
func (d *DB) Ping(ctx context.Context) error {
	return Translate("asking the database", d.pool.PingContext(ctx))
}

// DriverLog takes what the driver would print to the standard error stream.
type DriverLog struct{ Log *slog.Logger }

// Print implements the driver's Logger.
func (d DriverLog) Print(v ...any) {
	d.Log.Warn("database connection", "detail", fmt.Sprint(v...))
}
