package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"sort"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// Users are the accounts (at localhost) that the roles connect as.
type Users struct {
	Panel  string
	Worker string
}

// rights are what one role may do with one table, as letters: S(elect) I(nsert) U(pdate) D(elete).
type rights struct{ panel, worker string }

// grants is the whole of what panel and worker may do: a table that is not here is closed to both, and neither may
// change the schema. The audit trail only grows. Each author adds a row for each table they make.
var grants = map[string]rights{
	"goose_db_version":    {"S", "S"},
	"schema_pending":      {"", ""},
	"associations":        {"SIU", "SIU"},
	"people":              {"SIUD", "SIUD"},
	"association_members": {"SIUD", "SIUD"},
	"uid_sequence":        {"SIU", "SIU"},
	"sites":               {"SIU", "SIU"},
	"releases":            {"S", "SID"},
	"snapshots":           {"S", "SID"},
	"operations":          {"SIU", "SIUD"},
	"operation_steps":     {"SIU", "SIUD"},
	"operation_holds":     {"SI", "SID"},
	"audit":               {"SI", "SI"},
	"audit_seals":         {"", "SI"},
	"audit_anchors":       {"", "S"},
	"traffic_daily":       {"S", "SIUD"},
	"traffic_batches":     {"", "SIUD"},
	"worker_heartbeat":    {"S", "SIUD"},
	"findings":            {"S", "SIUD"},
	"mails":               {"S", "SIUD"},
	"worker_mark":         {"S", "SIU"},
	"site_accounts":       {"S", "SIUD"},
	"site_access":         {"SIU", "SD"},
	"egress_daily":        {"S", "SIUD"},
	"egress_hourly":       {"S", "SIUD"},
	"egress_batches":      {"", "SIUD"},
	"sessions":            {"SIUD", ""},
	"sign_ins":            {"SID", ""},
	"api_tokens":          {"SIU", ""},
	"logout_tokens":       {"SID", ""},
	"tries":               {"SIUD", ""},
	"break_glass_links":   {"SIUD", ""},
}

var letters = []struct {
	letter    string
	privilege string
}{{"S", "SELECT"}, {"I", "INSERT"}, {"U", "UPDATE"}, {"D", "DELETE"}}

// Errors of MariaDB that say "there was nothing to take away".
const (
	noSuchGrant      = 1141
	noSuchTableGrant = 1147
)

var identifier = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

// Grant gives panel and worker exactly the rights of the table above, table by table, and takes every other one away. A right
// that stays is never absent in between, so it may be run under a living platform. db connects as a user that holds
// the database's rights WITH GRANT OPTION; the accounts must exist.
func Grant(ctx context.Context, db *sql.DB, database string, users Users) error {
	for _, name := range []string{database, users.Panel, users.Worker} {
		if !identifier.MatchString(name) {
			return fmt.Errorf("granting rights: %q is not a name of lower-case letters, digits and underscores", name)
		}
	}
	for _, role := range []struct {
		user string
		pick func(rights) string
	}{
		{users.Panel, func(r rights) string { return r.panel }},
		{users.Worker, func(r rights) string { return r.worker }},
	} {
		if err := grantRole(ctx, db, database, role.user, role.pick); err != nil {
			return err
		}
	}
	return nil
}

func grantRole(ctx context.Context, db *sql.DB, database, user string, pick func(rights) string) error {
	tables, err := tableNames(ctx, db)
	if err != nil {
		return err
	}
	account := "'" + user + "'@'localhost'"
	for _, table := range sorted(tables) {
		r, listed := grants[table]
		if !listed {
			return fmt.Errorf("granting rights: table %s has no row in the table of grants", table)
		}
		if err := grantTable(ctx, db, "`"+database+"`.`"+table+"`", account, pick(r)); err != nil {
			return err
		}
	}
	// Rights on the whole database would pass over everything above.
	for _, right := range []string{"ALL PRIVILEGES", "GRANT OPTION"} {
		if err := revoke(ctx, db, fmt.Sprintf("REVOKE %s ON `%s`.* FROM %s", right, database, account)); err != nil {
			return err
		}
	}
	return nil
}

func grantTable(ctx context.Context, db *sql.DB, table, account, wanted string) error {
	var give, take []string
	for _, l := range letters {
		if strings.Contains(wanted, l.letter) {
			give = append(give, l.privilege)
		} else {
			take = append(take, l.privilege)
		}
	}
	if len(give) > 0 {
		if _, err := db.ExecContext(ctx, fmt.Sprintf("GRANT %s ON %s TO %s", strings.Join(give, ", "), table, account)); err != nil {
			return fmt.Errorf("granting rights on %s: %w", table, err)
		}
	}
	take = append(take, "CREATE", "DROP", "REFERENCES", "INDEX", "ALTER", "TRIGGER", "CREATE VIEW", "SHOW VIEW", "DELETE HISTORY", "GRANT OPTION")
	return revoke(ctx, db, fmt.Sprintf("REVOKE %s ON %s FROM %s", strings.Join(take, ", "), table, account))
}

func revoke(ctx context.Context, db *sql.DB, statement string) error {
	_, err := db.ExecContext(ctx, statement)
	var refusal *mysql.MySQLError
	if errors.As(err, &refusal) && (refusal.Number == noSuchGrant || refusal.Number == noSuchTableGrant) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("taking rights away: %w", err)
	}
	return nil
}

func sorted(names map[string]bool) []string {
	out := make([]string, 0, len(names))
	for n := range names {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}
