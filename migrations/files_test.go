package migrations_test

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"chatiere/migrations"
)

// rerunnable are the statements that do no harm when a killed program's successor runs them again.
var rerunnable = regexp.MustCompile(`(?s)^(` +
	`CREATE TABLE IF NOT EXISTS \w+ \(.*\) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci` +
	`|DROP TABLE IF EXISTS \w+` +
	`|INSERT IGNORE INTO \w+ \([^)]*\) SELECT .*` +
	`|DELETE FROM \w+` +
	`|ALTER TABLE (IF EXISTS )?\w+ (ADD|DROP) (COLUMN|INDEX|KEY|CONSTRAINT|UNIQUE INDEX) IF (NOT )?EXISTS [^,]*(\([^;]*\))?[^,]*` +
	`)$`)

func TestEveryFileHoldsOneStatementEachWayThatCanBeRunAgain(t *testing.T) {
	files := migrations.Files
	names, err := fs.Glob(files, "*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("listing the files: %v, %d found", err, len(names))
	}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		up, down, found := strings.Cut(string(text), "-- +goose Down")
		if !found || !strings.HasPrefix(up, "-- +goose Up\n") {
			t.Errorf("%s: up and down are not both there", name)
		}
		for _, half := range []string{up, down} {
			statement := strings.TrimSpace(comments.ReplaceAllString(half, ""))
			if strings.Count(statement, ";") != 1 || !strings.HasSuffix(statement, ";") {
				t.Errorf("%s: not exactly one statement: %q", name, statement)
			} else if !rerunnable.MatchString(strings.TrimSuffix(statement, ";")) {
				t.Errorf("%s: the statement cannot be run again: %q", name, statement)
			}
		}
	}
}

var comments = regexp.MustCompile(`(?m)^--.*$`)
