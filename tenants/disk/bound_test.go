package disk_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"chatiere/tenants"
)

// bySite runs a command as the site's user.
func bySite(command string, args ...string) error {
	cmd := exec.Command(command, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: siteUID, Gid: siteUID}}
	return cmd.Run()
}

// The engine follows links on its way to a directory that it mounts.
func TestASiteCannotExchangeADirectoryThatIsMountedByItself(t *testing.T) {
	root, d, s := fresh(t)
	must(t, os.Chmod(filepath.Dir(root), 0o755))
	must(t, os.Chmod(root, 0o755))
	must(t, d.Ensure(t.Context(), s))
	data := filepath.Join(root, "sites", id, "data")
	must(t, bySite("mkdir", "-p", data+"/pages/themes"))
	must(t, bySite("touch", data+"/pages/themes/own", data+"/pages/own"))
	s.Release.Places = []string{"pages/themes", "plugins"}
	if ready, err := d.Ready(t.Context(), s); err != nil || ready {
		t.Errorf("before: ready %v (%v)", ready, err)
	}
	for range 2 {
		must(t, d.EnsureSockets(t.Context(), s))
	}
	if ready, err := d.Ready(t.Context(), s); err != nil || !ready {
		t.Errorf("after: ready %v (%v)", ready, err)
	}
	for _, place := range []string{"pages", "pages/themes", "plugins"} {
		for what, err := range map[string]error{
			"renamed": bySite("mv", data+"/"+place, data+"/other"), "removed": bySite("rm", "-r", data+"/"+place),
			"opened": bySite("chmod", "777", data+"/"+place),
		} {
			if err == nil {
				t.Errorf("%s can be %s", place, what)
			}
		}
	}
	// It still writes there, where its container lets it.
	must(t, bySite("touch", data+"/new", data+"/pages/new", data+"/pages/themes/new", data+"/plugins/new"))
	must(t, bySite("rm", data+"/new", data+"/pages/new", data+"/plugins/new"))
	if uid, err := d.HighestUID(t.Context(), siteUID+1); err != nil || uid != siteUID {
		t.Errorf("the data belong to %d (%v)", uid, err)
	}
}

func TestALinkInThePlaceOfADirectoryIsRefused(t *testing.T) {
	root, d, s := fresh(t)
	must(t, d.Ensure(t.Context(), s))
	data, secrets := filepath.Join(root, "sites", id, "data"), filepath.Join(root, "sites", id, "secrets")
	s.Release.Places = []string{"pages/themes"}
	for _, link := range []string{"pages", "pages/themes"} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(data, link)), 0o755))
		must(t, os.Symlink("../secrets", filepath.Join(data, link)))
		if err := d.EnsureSockets(t.Context(), s); err == nil {
			t.Errorf("%s is a link, and was taken", link)
		}
		must(t, os.Remove(filepath.Join(data, link)))
	}
	if info, err := os.Lstat(secrets); err != nil || info.Mode().Perm() != 0o500 {
		t.Errorf("what the link led to is %v (%v)", info.Mode(), err)
	}
	must(t, os.RemoveAll(data))
	if err := d.EnsureSockets(t.Context(), s); !errors.Is(err, tenants.ErrNotFound) {
		t.Errorf("without data: %v", err)
	}
	if _, err := os.Lstat(data); !errors.Is(err, fs.ErrNotExist) {
		t.Error("lost data were made again, empty")
	}
}

func TestASiteWithItsOwnDatabaseIsNotMeasuredByThoseOfOthers(t *testing.T) {
	root, d, s := fresh(t)
	must(t, d.Ensure(t.Context(), s))
	other := filepath.Join(root, "mariadb-sites/data/site_s99999999")
	must(t, os.MkdirAll(other, 0o755))
	must(t, os.WriteFile(filepath.Join(other, "table"), make([]byte, 1<<20), 0o644))
	s.Release.DatabaseEngine = tenants.DatabasePostgreSQL
	if sum, err := d.SiteUsage(t.Context(), s); err != nil || sum.Bytes >= 1<<20 {
		t.Errorf("measured %+v (%v)", sum, err)
	}
}
