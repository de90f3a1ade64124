//go:build integration

package disk_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"chatiere/tenants"
	"chatiere/tenants/disk"
)

// runAs starts a script as the site's user in the site's data directory and waits until it says that it is done; it goes
// on then, holding what it holds, until the test ends.
func runAs(t *testing.T, dir string, script string) {
	t.Helper()
	cmd := exec.Command("perl", "-e", "$| = 1;"+script+`; print "done\n"; sleep 600;`)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: siteUID, Gid: siteUID}}
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the script said %q: %v", line, err)
	}
}

// reachable makes the directories of a test enterable for the site's user.
func reachable(t *testing.T, dir string) {
	t.Helper()
	for ; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		must(t, os.Chmod(dir, 0o755))
	}
}

func taken(t *testing.T, d *disk.Disk, s tenants.Site) int64 {
	t.Helper()
	sum, err := d.SiteUsage(t.Context(), s)
	must(t, err)
	return sum.Bytes
}

const writeTenMiB = `open(F, ">", "f") or die; print F "x" x 1048576 for 1..10; F->flush; `

func TestFilesThatLostTheirNameCountAsLongAsTheyAreOpen(t *testing.T) {
	root, d, s := fresh(t)
	must(t, d.Ensure(t.Context(), s))
	reachable(t, root)
	before := taken(t, d, s)
	runAs(t, filepath.Join(root, "sites", id, "data"), "use IO::Handle;"+writeTenMiB+`unlink "f"`)
	if grown := taken(t, d, s) - before; grown < 10<<20 || grown > 11<<20 {
		t.Errorf("ten mebibytes without a name count as %d bytes", grown)
	}
}

func TestWhatLiesWhereTheSocketsAreCountsAndIsRemoved(t *testing.T) {
	root, d, s := fresh(t)
	must(t, d.Ensure(t.Context(), s))
	http := filepath.Join(root, "run/app", id, "http")
	before := taken(t, d, s)
	write(t, filepath.Join(http, "fill"), 5<<20)
	must(t, os.MkdirAll(filepath.Join(http, "deep/er"), 0o755))
	write(t, filepath.Join(http, "deep/er/fill"), 5<<20)
	must(t, os.Symlink("/etc/passwd", filepath.Join(http, "link")))
	must(t, syscall.Mkfifo(filepath.Join(http, "fifo"), 0o666))
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	must(t, err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	t.Chdir(http)
	must(t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: "http.sock"}))
	if grown := taken(t, d, s) - before; grown < 10<<20 {
		t.Errorf("ten mebibytes beside the socket count as %d bytes", grown)
	}
	must(t, d.Clean(t.Context(), s))
	must(t, d.Clean(t.Context(), s))
	entries, err := os.ReadDir(http)
	must(t, err)
	if len(entries) != 1 || entries[0].Name() != "http.sock" {
		t.Errorf("left: %v", entries)
	}
	if _, err := os.Stat("/etc/passwd"); err != nil {
		t.Error(err)
	}
}

func TestWhatASitesProcessesWriteIsSeen(t *testing.T) {
	root, d, s := fresh(t)
	must(t, d.Ensure(t.Context(), s))
	reachable(t, root)
	other := tenants.Site{ID: "s000000002", UID: siteUID + 1}
	sites := []tenants.Site{s, other}
	written := func() map[string]int64 {
		t.Helper()
		all, err := d.Written(t.Context(), sites)
		must(t, err)
		return all
	}
	before := written()
	runAs(t, filepath.Join(root, "sites", id, "data"), "use IO::Handle;"+writeTenMiB)
	after := written()
	if grown := after[s.ID] - before[s.ID]; grown < 10<<20 || grown > 12<<20 || after[other.ID] != before[other.ID] {
		t.Errorf("ten mebibytes written are seen as %d bytes, a neighbour's as %d", grown, after[other.ID]-before[other.ID])
	}
	if again := written()[s.ID]; again != after[s.ID] {
		t.Errorf("nothing more was written, and %d bytes seen", again-after[s.ID])
	}
}
