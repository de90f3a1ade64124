package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"

	"github.com/pressly/goose/v3"
)

// goingUp is the only direction in schema_pending: nothing takes a migration back but a restored dump.
const goingUp = "up"

// migrator changes one database while the lock is held.
type migrator struct {
	db       *sql.DB
	log      *slog.Logger
	provider *goose.Provider
	sources  []source
}

// up runs what is missing, one version at a time.
func (m *migrator) up(ctx context.Context) error {
	recorded, err := recordedVersions(ctx, m.db)
	if err != nil {
		return err
	}
	for _, s := range m.sources {
		if recorded[s.version] {
			continue
		}
		if err := m.run(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// run applies one migration between two marks: the first is what tells the next starter that this one died in it.
func (m *migrator) run(ctx context.Context, s source) error {
	_, err := m.db.ExecContext(ctx, `INSERT INTO schema_pending (version, direction, sum, since) VALUES (?, ?, ?, UTC_TIMESTAMP(6))
  ON DUPLICATE KEY UPDATE sum = VALUES(sum)`, s.version, goingUp, s.sum)
	if err != nil {
		return fmt.Errorf("marking migration %d as begun: %w", s.version, err)
	}
	m.log.InfoContext(ctx, "changing the schema", "version", s.version, "name", s.name)
	if _, err := m.provider.ApplyVersion(ctx, s.version, true); err != nil {
		return fmt.Errorf("running migration %d (%s): %w", s.version, s.name, err)
	}
	if _, err := m.db.ExecContext(ctx, "DELETE FROM schema_pending WHERE version = ?", s.version); err != nil {
		return fmt.Errorf("marking migration %d as ended: %w", s.version, err)
	}
	return nil
}

// check refuses a database whose schema and record contradict each other, and forgives what a killed starter of this
// same binary left: its statement can be run again.
func (m *migrator) check(ctx context.Context) error {
	recorded, err := recordedVersions(ctx, m.db)
	if err != nil {
		return err
	}
	begun, found, err := pendingMigration(ctx, m.db)
	if err != nil {
		return err
	}
	if found {
		if err := m.checkPending(begun); err != nil {
			return err
		}
		m.log.WarnContext(ctx, "a migration was interrupted and is run again", "version", begun.version)
	}
	if err := m.checkKnown(recorded, begun.version); err != nil {
		return err
	}
	tables, err := tableNames(ctx, m.db)
	if err != nil {
		return err
	}
	if err := m.checkTables(recorded, tables, begun.version); err != nil {
		return err
	}
	return m.settle(ctx, begun, found, recorded)
}

// checkPending accepts an interrupted migration only when this binary holds the very same statement.
func (m *migrator) checkPending(p pending) error {
	for _, s := range m.sources {
		if s.version == p.version && s.sum == p.sum {
			return nil
		}
	}
	return fmt.Errorf("migration %d was interrupted under another version of this program: "+
		"start that version again so that it finishes, or restore the last database dump: %w", p.version, ErrHalfApplied)
}

// checkKnown refuses versions this binary has no file for, and gaps below the newest one of a range of a hundred.
func (m *migrator) checkKnown(recorded map[int64]bool, begun int64) error {
	known := map[int64]bool{}
	newest := map[int64]int64{}
	for _, s := range m.sources {
		known[s.version] = true
		if recorded[s.version] {
			newest[s.version/100] = s.version
		}
	}
	for v := range recorded {
		if !known[v] {
			return fmt.Errorf("the database has migration %d, which this program does not know: install a newer version: %w", v, ErrNewer)
		}
	}
	for _, s := range m.sources {
		if s.version < newest[s.version/100] && !recorded[s.version] && s.version != begun {
			return fmt.Errorf("migration %d (%s) is missing below newer ones: restore the last database dump: %w",
				s.version, s.name, ErrHalfApplied)
		}
	}
	return nil
}

// checkTables compares the tables that are there with those the record says were made.
func (m *migrator) checkTables(recorded map[int64]bool, tables map[string]bool, begun int64) error {
	for _, s := range m.sources {
		if s.creates == "" || s.version == begun || recorded[s.version] == tables[s.creates] {
			continue
		}
		if recorded[s.version] {
			return fmt.Errorf("table %s is gone although migration %d made it: restore the last database dump: %w",
				s.creates, s.version, ErrHalfApplied)
		}
		return fmt.Errorf("table %s is there although migration %d never ran here: check that this is the right database; "+
			"if it is, and the table is empty, drop it and start again: %w", s.creates, s.version, ErrHalfApplied)
	}
	return nil
}

// settle brings an interrupted migration to its end: its statement is run again unless it is recorded.
func (m *migrator) settle(ctx context.Context, p pending, found bool, recorded map[int64]bool) error {
	if !found {
		return nil
	}
	for _, s := range m.sources {
		if s.version != p.version {
			continue
		}
		if !recorded[s.version] {
			return m.run(ctx, s)
		}
		_, err := m.db.ExecContext(ctx, "DELETE FROM schema_pending WHERE version = ?", s.version)
		if err != nil {
			return fmt.Errorf("marking migration %d as ended: %w", s.version, err)
		}
		return nil
	}
	return errors.New("settling a migration that is not known") // checkPending has refused it
}
