package migrations

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// lockWait is how long a starter waits for another one; a whole schema takes less than a second.
var lockWait = 60 * time.Second

// lock takes a named lock on a connection of its own, which must stay open: the server drops the lock with it, so a
// killed starter leaves none behind. The name carries the database, since named locks are the server's.
func lock(ctx context.Context, db *sql.DB) (unlock func() error, err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting for the migration lock: %w", err)
	}
	var got sql.NullInt64
	row := conn.QueryRowContext(ctx, "SELECT GET_LOCK(CONCAT('chatiere.migrate.', MD5(DATABASE())), ?)", lockWait.Seconds())
	if err := row.Scan(&got); err != nil {
		_ = conn.Close() // the lock's failure says more
		return nil, fmt.Errorf("taking the migration lock: %w", err)
	}
	if got.Int64 != 1 {
		_ = conn.Close()
		return nil, fmt.Errorf("waiting %s for the migration lock: %w", lockWait, ErrLocked)
	}
	return func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_, err := conn.ExecContext(ctx, "DO RELEASE_LOCK(CONCAT('chatiere.migrate.', MD5(DATABASE())))")
		if closing := conn.Close(); err == nil {
			err = closing
		}
		if err != nil {
			return fmt.Errorf("releasing the migration lock: %w", err)
		}
		return nil
	}, nil
}
