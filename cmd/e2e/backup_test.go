//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatiere/panel/api"
	"chatiere/tenants"
)

// backups lists a site's snapshots, the latest first.
func (i *instance) backups(t *testing.T, site string) []api.Snapshot {
	t.Helper()
	var l api.List[api.Snapshot]
	if err := i.panel.Get(context.WithoutCancel(t.Context()), api.Item(api.PathSites, site, "backups"), &l); err != nil {
		t.Fatal(explain(err))
	}
	return l.Items
}

// rename changes a site's title in the generation of its database.
func (i *instance) rename(t *testing.T, site string, generation int, title string) {
	t.Helper()
	statement := fmt.Sprintf("UPDATE `%s`.wp_options SET option_value = ? WHERE option_name = 'blogname'", tenants.DatabaseName(site, generation))
	if _, err := i.sitesDatabase(t).ExecContext(t.Context(), statement, title); err != nil {
		t.Fatal(err)
	}
}

// shows waits until the site's front page has a text.
func (i *instance) shows(t *testing.T, s api.Site, text string) {
	t.Helper()
	eventually(t, back, s.URL+" to show "+text, func() (bool, string) {
		status, body, err := i.try(t.Context(), at(s.URL)+"/")
		return err == nil && status == http.StatusOK && strings.Contains(body, text), fmt.Sprint(status, " ", err)
	})
}

// A site is saved, vandalised, and brought back while the worker is killed.
func TestASiteComesBackFromItsBackup(t *testing.T) {
	i := open(t)
	before := i.inventory(t)
	s := i.newSite(t)
	data := i.config.Paths().SiteData(s.ID)
	photo := filepath.Join("wp-content", "uploads", "affiche été 🎥.txt")
	if err := os.WriteFile(filepath.Join(data, photo), []byte("une affiche"), 0o644); err != nil { //nolint:gosec // as uploads are
		t.Fatal(err)
	}
	i.rename(t, s.ID, 1, "Chorale d'hier 🎥")
	i.done(t, i.wish(t, api.Item(api.PathSites, s.ID, "backups"), nil), 2*time.Minute)
	saved := i.backups(t, s.ID)
	if len(saved) != 1 || saved[0].MissingCount != 0 || saved[0].DatabaseBytes == 0 || saved[0].Reason != "asked" {
		t.Fatalf("saved: %+v", saved)
	}

	i.rename(t, s.ID, 1, "Vandalisé")
	shell := filepath.Join("wp-content", "shell.txt")
	if err := os.Rename(filepath.Join(data, photo), filepath.Join(data, shell)); err != nil {
		t.Fatal(err)
	}
	i.shows(t, s, "Vandalisé")
	op := i.wish(t, api.Item(api.PathSites, s.ID, "backups", saved[0].ID, "restore"), nil)
	i.kill(t, "worker")
	i.start(t, "worker")
	i.done(t, op, 3*time.Minute)

	i.shows(t, s, "Chorale d&#039;hier 🎥")
	restored := filepath.Join(filepath.Dir(data), tenants.DataDirectory(2))
	if p, err := os.ReadFile(filepath.Join(restored, photo)); string(p) != "une affiche" {
		t.Errorf("the file came back as %q, %v", p, err)
	}
	if _, err := os.Stat(filepath.Join(restored, shell)); !os.IsNotExist(err) {
		t.Errorf("what was made since is there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(data, shell)); err != nil {
		t.Errorf("the generation before is not as it was: %v", err)
	}
	if now := i.site(t, s.ID); now.Release.Generation != 2 {
		t.Errorf("the release is %+v, want generation 2", now.Release)
	}
	if saved = i.backups(t, s.ID); len(saved) != 2 || saved[0].Reason != "before-restore" {
		t.Errorf("after the restore: %+v", saved)
	}

	// What was there before the restore is a backup like others.
	i.done(t, i.wish(t, api.Item(api.PathSites, s.ID, "backups", saved[0].ID, "restore"), nil), 3*time.Minute)
	i.shows(t, s, "Vandalisé")
	i.gone(t, s.ID)
	if more, less := leftOver(before, i.inventory(t)); len(more)+len(less) > 0 {
		t.Errorf("after the site is purged there is more: %v, and less: %v", more, less)
	}
}
