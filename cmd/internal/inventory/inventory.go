// Package inventory lists everything an instance has made on the machine, found without its labels and its records:
// containers by their mounts and names, databases and users by asking the server, files by walking the data root, groups
// by asking Keycloak, routes by reading the table. Tests compare it before and after, and with what the records promise.
package inventory

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"

	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/wire"
	"chatiere/reverseproxy"
)

// Machine is where an instance runs.
type Machine struct {
	Config config.Config
}

// List returns one line for each thing, sorted.
func (m Machine) List(ctx context.Context) ([]string, error) {
	var out []string
	for _, look := range []func(context.Context) ([]string, error){m.Containers, m.databases, m.files, m.Groups, m.routes} {
		found, err := look(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	slices.Sort(out)
	return out, nil
}

// Diff returns what is in after and not in before, and what is missing from it.
func Diff(before, after []string) (more, less []string) {
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

// Containers lists them with their states.
func (m Machine) Containers(ctx context.Context) ([]string, error) {
	ids, err := exec.CommandContext(ctx, "docker", "ps", "-aq").Output()
	if err != nil {
		return nil, fmt.Errorf("listing containers: %w", err)
	}
	if len(strings.Fields(string(ids))) == 0 {
		return nil, nil
	}
	var all []struct {
		Name   string
		State  struct{ Status string }
		Mounts []struct{ Source string }
	}
	// A container may go between the two questions; what is left of it is not ours to miss.
	text, _ := exec.CommandContext(ctx, "docker", append([]string{"inspect"}, strings.Fields(string(ids))...)...).Output()
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("reading docker inspect: %w", err)
	}
	var out []string
	for _, c := range all {
		ours := strings.Contains(c.Name, "chatiere-"+m.Config.Instance+"-")
		for _, mount := range c.Mounts {
			ours = ours || strings.HasPrefix(mount.Source, m.Config.Root+"/")
		}
		if ours {
			out = append(out, "container "+strings.TrimPrefix(c.Name, "/")+" "+c.State.Status)
		}
	}
	return out, nil
}

// SitesDatabase opens the sites' database as its root.
func (m Machine) SitesDatabase() (*sql.DB, error) {
	return asRoot(m.Config.Secret(config.SecretDBSitesRoot), m.Config.SitesDatabase.Socket, "")
}

// Database opens the panel's database as its root.
func (m Machine) Database() (*sql.DB, error) {
	return asRoot(m.Config.Secret(config.SecretDBRoot), m.Config.Database.Socket, m.Config.Database.Name)
}

func asRoot(secret config.Secret, socket, database string) (*sql.DB, error) {
	password, err := secret.Reveal()
	if err != nil {
		return nil, err
	}
	conf := mysql.NewConfig()
	conf.User, conf.Passwd, conf.Net, conf.Addr, conf.DBName, conf.ParseTime = "root", password, "unix", socket, database, true
	connector, err := mysql.NewConnector(conf)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func (m Machine) databases(ctx context.Context) (out []string, err error) {
	db, err := m.SitesDatabase()
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	for _, q := range []struct{ kind, query string }{
		{"database", "SHOW DATABASES"},
		{"user", "SELECT CONCAT(User, '@', Host) FROM mysql.user"},
		{"grant", `SELECT CONCAT(User, '@', Host, ' ', REPLACE(Db, '\\', '')) FROM mysql.db`},
	} {
		names, err := column(ctx, db, q.query)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			out = append(out, q.kind+" "+name)
		}
	}
	return out, nil
}

func column(ctx context.Context, db *sql.DB, query string) (out []string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		out = append(out, name)
	}
	return out, rows.Err()
}

// files lists the directories of sites, of their sockets, and the egress lists. What a site's application writes below
// its own directory is its own.
func (m Machine) files(context.Context) ([]string, error) {
	p := m.Config.Paths()
	var out []string
	for _, dir := range []string{p.SitesDir(), p.AppDir(), p.EgressDir()} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				if os.IsNotExist(err) {
					return nil
				}
				return err
			}
			// Sockets come and go with the processes that hold them, the list of who may enter a site with the next round.
			if path != dir && d.Type()&fs.ModeSocket == 0 && d.Name() != "people.json" {
				out = append(out, "path "+path)
			}
			if d.IsDir() && filepath.Base(path) == "data" {
				return fs.SkipDir
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Groups lists the associations' groups.
func (m Machine) Groups(ctx context.Context) ([]string, error) {
	client, err := wire.Keycloak(m.Config)
	if err != nil {
		return nil, err
	}
	all, err := client.Tree(ctx, "/assos")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, g := range all {
		out = append(out, "group "+g.Path)
	}
	return out, nil
}

func (m Machine) routes(context.Context) ([]string, error) {
	data, err := os.ReadFile(m.Config.Paths().Routes())
	if err != nil {
		return nil, err
	}
	table, err := reverseproxy.DecodeTable(data)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range table.Routes {
		out = append(out, "route "+r.Host+" "+string(r.State))
	}
	return out, nil
}
