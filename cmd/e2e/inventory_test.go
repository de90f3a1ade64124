//go:build e2e

package e2e_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/wire"
	"chatiere/reverseproxy"
)

// inventory lists everything an instance has made on the machine, found without its labels and its records: containers by
// their mounts and names, databases and users by asking the server, files by walking the data root, groups by asking
// Keycloak, routes by reading the table.
func (i *instance) inventory(t *testing.T) []string {
	t.Helper()
	var out []string
	out = append(out, i.containers(t)...)
	out = append(out, i.databases(t)...)
	out = append(out, i.files(t)...)
	out = append(out, i.groups(t)...)
	out = append(out, i.routes(t)...)
	slices.Sort(out)
	return out
}

// leftOver returns what is in after and not in before, and what is missing from it.
func leftOver(before, after []string) (more, less []string) {
	for _, x := range after {
		if !slices.Contains(before, x) {
			more = append(more, x)
		}
	}
	for _, x := range before {
		if !slices.Contains(after, x) {
			less = append(less, x)
		}
	}
	return more, less
}

func (i *instance) containers(t *testing.T) []string {
	t.Helper()
	ids := strings.Fields(run(t, "docker", "ps", "-aq"))
	if len(ids) == 0 {
		return nil
	}
	var all []struct {
		Name   string
		State  struct{ Status string }
		Mounts []struct{ Source string }
	}
	// A container may go between the two questions; what is left of it is not ours to miss.
	text, _ := tryRun("docker", append([]string{"inspect"}, ids...)...)
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&all); err != nil {
		t.Fatalf("reading docker inspect: %v", err)
	}
	var out []string
	for _, c := range all {
		ours := strings.Contains(c.Name, "chatiere-"+i.config.Instance+"-")
		for _, m := range c.Mounts {
			ours = ours || strings.HasPrefix(m.Source, i.config.Root+"/")
		}
		if ours {
			out = append(out, "container "+strings.TrimPrefix(c.Name, "/")+" "+c.State.Status)
		}
	}
	return out
}

func (i *instance) databases(t *testing.T) []string {
	t.Helper()
	db := i.sitesDatabase(t)
	var out []string
	for _, q := range []struct{ kind, query string }{
		{"database", "SHOW DATABASES"},
		{"user", "SELECT CONCAT(User, '@', Host) FROM mysql.user"},
		{"grant", `SELECT CONCAT(User, '@', Host, ' ', REPLACE(Db, '\\', '')) FROM mysql.db`},
	} {
		rows, err := db.QueryContext(context.WithoutCancel(t.Context()), q.query)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				t.Fatal(err)
			}
			out = append(out, q.kind+" "+name)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func (i *instance) sitesDatabase(t *testing.T) *sql.DB {
	t.Helper()
	password, err := i.config.Secret(config.SecretDBSitesRoot).Reveal()
	if err != nil {
		t.Fatal(err)
	}
	conf := mysql.NewConfig()
	conf.User, conf.Passwd, conf.Net, conf.Addr = "root", password, "unix", i.config.SitesDatabase.Socket
	connector, err := mysql.NewConnector(conf)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// files lists the directories of sites, of their sockets, and the egress lists. What a site's application writes below
// its own directory is its own.
func (i *instance) files(t *testing.T) []string {
	t.Helper()
	p := i.config.Paths()
	var out []string
	for _, dir := range []string{p.SitesDir(), p.AppDir(), p.EgressDir()} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				if os.IsNotExist(err) {
					return nil
				}
				return err
			}
			rel, err := filepath.Rel(dir, path)
			if err != nil || rel == "." {
				return err
			}
			if d.Type()&fs.ModeSocket == 0 { // sockets come and go with the processes that hold them
				out = append(out, "path "+path)
			}
			if d.IsDir() && filepath.Base(path) == "data" {
				return fs.SkipDir
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func (i *instance) groups(t *testing.T) []string {
	t.Helper()
	client, err := wire.Keycloak(i.config)
	if err != nil {
		t.Fatal(err)
	}
	all, err := client.Tree(context.WithoutCancel(t.Context()), "/assos")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, g := range all {
		out = append(out, "group "+g.Path)
	}
	return out
}

func (i *instance) routes(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile(i.config.Paths().Routes())
	if err != nil {
		t.Fatal(err)
	}
	table, err := reverseproxy.DecodeTable(data)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range table.Routes {
		out = append(out, "route "+r.Host+" "+string(r.State))
	}
	return out
}
