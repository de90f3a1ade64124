package database

import (
	"context"
	"log/slog"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// slowQuery is from when on a query is worth a line in the log.
const slowQuery = 200 * time.Millisecond

// slowLog is gorm's logger: it tells of slow queries and of nothing else. Errors are returned, and whoever handles them
// logs them.
type slowLog struct{ log *slog.Logger }

var _ gorm.ParamsFilter = slowLog{}

// LogMode implements gorm's logger; there is one mode.
func (l slowLog) LogMode(logger.LogLevel) logger.Interface { return l }

// Info implements gorm's logger.
func (l slowLog) Info(context.Context, string, ...any) {}

// Warn implements gorm's logger.
func (l slowLog) Warn(context.Context, string, ...any) {}

// Error implements gorm's logger.
func (l slowLog) Error(context.Context, string, ...any) {}

// Trace implements gorm's logger.
func (l slowLog) Trace(ctx context.Context, begin time.Time, query func() (sql string, rows int64), _ error) {
	took := time.Since(begin)
	if took < slowQuery {
		return
	}
	sql, rows := query()
	l.log.WarnContext(ctx, "slow query", "duration", took, "sql", sql, "rows", rows)
}

// ParamsFilter keeps values out of the log: they are people's names and secrets' hashes.
func (l slowLog) ParamsFilter(_ context.Context, sql string, _ ...any) (string, []any) {
	return sql, nil
}
