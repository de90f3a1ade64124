package disk_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"

	"chatiere/tenants"
	"chatiere/tenants/disk"
)

const proxyGID, gatewayUID, databaseUID, siteUID = 64010, 64030, 64040, 200123

func fresh(t *testing.T) (string, *disk.Disk, tenants.Site) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("only root can give files away: run the tests as root, as the worker is")
	}
	root := t.TempDir()
	return root, disk.New(disk.Options{Root: root, ProxyGID: proxyGID, GatewayUID: gatewayUID, DatabaseUID: databaseUID}), tenants.Site{ID: id, UID: siteUID}
}

// layout is what the contract between the roles says of a site's places.
var layout = map[string]struct {
	mode     fs.FileMode
	uid, gid uint32
}{
	"sites":                                   {fs.ModeDir | 0o755, 0, 0},
	"sites/" + id:                             {fs.ModeDir | 0o755, 0, 0},
	"sites/" + id + "/data":                   {fs.ModeDir | 0o750, siteUID, siteUID},
	"sites/" + id + "/secrets":                {fs.ModeDir | 0o500, siteUID, siteUID},
	"sites/" + id + "/secrets/db_password":    {0o400, siteUID, siteUID},
	"sites/" + id + "/secrets/secret_key":     {0o400, siteUID, siteUID},
	"sites/" + id + "/secrets/admin_password": {0o400, siteUID, siteUID},
	"run":                     {fs.ModeDir | 0o755, 0, 0},
	"run/app":                 {fs.ModeDir | 0o755, 0, 0},
	"run/app/" + id:           {fs.ModeDir | 0o755, 0, 0},
	"run/app/" + id + "/http": {fs.ModeDir | fs.ModeSetgid | 0o750, siteUID, proxyGID},
	"run/app/" + id + "/gate": {fs.ModeDir | fs.ModeSetgid | 0o750, gatewayUID, siteUID},
	"run/mariadb-sites":       {fs.ModeDir | 0o755, 0, 0},
	"run/mariadb-sites/" + id: {fs.ModeDir | fs.ModeSetgid | 0o750, databaseUID, siteUID},
}

func check(t *testing.T, root string) {
	t.Helper()
	found := 0
	must(t, filepath.WalkDir(root, func(name string, _ fs.DirEntry, err error) error {
		must(t, err)
		info, err := os.Lstat(name)
		must(t, err)
		rel, err := filepath.Rel(root, name)
		must(t, err)
		if rel == "." {
			return nil
		}
		found++
		want, listed := layout[rel]
		stat := info.Sys().(*syscall.Stat_t)
		if !listed || info.Mode() != want.mode || stat.Uid != want.uid || stat.Gid != want.gid {
			t.Errorf("%s is %v %d:%d, want %+v", rel, info.Mode(), stat.Uid, stat.Gid, want)
		}
		return nil
	}))
	if found != len(layout) {
		t.Errorf("%d places are there, want %d", found, len(layout))
	}
}

func TestEnsureMakesExactlyTheAgreedPlaces(t *testing.T) {
	root, d, site := fresh(t)
	if ready, err := d.Ready(t.Context(), site); err != nil || ready {
		t.Errorf("before: ready %v (%v)", ready, err)
	}
	defer syscall.Umask(syscall.Umask(0o077)) // of whoever starts the worker
	must(t, d.Ensure(t.Context(), site))
	check(t, root)
	if ready, err := d.Ready(t.Context(), site); err != nil || !ready {
		t.Errorf("after: ready %v (%v)", ready, err)
	}
	must(t, d.Remove(t.Context(), id))
	if ready, err := d.Ready(t.Context(), site); err != nil || ready {
		t.Errorf("removed: ready %v (%v)", ready, err)
	}
}

func TestReadyMissesNothing(t *testing.T) {
	for place := range layout {
		if place == "sites" || place == "run" || place == "run/app" || place == "run/mariadb-sites" {
			continue
		}
		t.Run(place, func(t *testing.T) {
			root, d, site := fresh(t)
			must(t, d.Ensure(t.Context(), site))
			must(t, os.Lchown(filepath.Join(root, place), 1, 1))
			if ready, err := d.Ready(t.Context(), site); err != nil || ready {
				t.Errorf("with another owner: ready %v (%v)", ready, err)
			}
			must(t, d.Ensure(t.Context(), site))
			check(t, root)
			must(t, os.RemoveAll(filepath.Join(root, place)))
			if ready, err := d.Ready(t.Context(), site); err != nil || ready {
				t.Errorf("gone: ready %v (%v)", ready, err)
			}
			must(t, d.Ensure(t.Context(), site))
			check(t, root)
		})
	}
}

func TestSecretsAreMadeOnceAndForEachSiteItsOwn(t *testing.T) {
	_, d, site := fresh(t)
	_, err := d.Secret(t.Context(), id, disk.DBPassword)
	wants(t, "reading before it is made", err, tenants.ErrNotFound)
	other := tenants.Site{ID: "s000000000", UID: siteUID + 1}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := d.Ensure(context.Background(), site); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	must(t, d.Ensure(t.Context(), other))
	seen := map[string]bool{}
	for name, shape := range map[string]string{
		disk.DBPassword: `^[A-Za-z0-9_-]{32}$`, disk.AdminPassword: `^[A-Za-z0-9_-]{32}$`, disk.SecretKey: `^[0-9a-f]{128}$`,
	} {
		value, err := d.Secret(t.Context(), id, name)
		if err != nil || !regexp.MustCompile(shape).MatchString(value) {
			t.Errorf("%s is %q (%v)", name, value, err)
		}
		must(t, d.Ensure(t.Context(), site))
		again, err := d.Secret(t.Context(), id, name)
		others, err2 := d.Secret(t.Context(), other.ID, name)
		if err != nil || err2 != nil || again != value || others == value || seen[value] {
			t.Errorf("%s: then %q, the other site's %q (%v, %v)", name, again, others, err, err2)
		}
		seen[value] = true
	}
}

func TestASiteCannotLeadEnsureElsewhere(t *testing.T) {
	root, d, site := fresh(t)
	must(t, d.Ensure(t.Context(), site))
	target := t.TempDir()
	http := filepath.Join(root, "run/app", id, "http")
	must(t, os.Symlink(target, filepath.Join(http, "http.sock")))
	must(t, os.Symlink(target, filepath.Join(root, "sites", id, "data/secrets")))
	must(t, d.Ensure(t.Context(), site))
	must(t, os.RemoveAll(http)) // even if it could exchange one of its directories
	must(t, os.Symlink(target, http))
	if err := d.Ensure(t.Context(), site); err == nil {
		t.Error("a link in place of a directory was accepted")
	}
	info, err := os.Stat(target)
	must(t, err)
	if info.Sys().(*syscall.Stat_t).Uid == siteUID {
		t.Error("the link's target was given away")
	}
}
