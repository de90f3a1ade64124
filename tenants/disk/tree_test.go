package disk_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"chatiere/tenants"
	"chatiere/tenants/disk"
)

const id = "s7k2m9qx4p"

// home makes a data root with the site's two directories, and returns root and the site's data directory.
func home(t *testing.T) (root, data string) {
	t.Helper()
	root = t.TempDir()
	data = filepath.Join(root, "sites", id, "data")
	must(t, os.MkdirAll(data, 0o755))
	must(t, os.MkdirAll(filepath.Join(root, "run/app", id, "http"), 0o755))
	return root, data
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, doing string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", doing, got, want)
	}
}

func write(t *testing.T, name string, bytes int) {
	t.Helper()
	must(t, os.WriteFile(name, make([]byte, bytes), 0o644))
}

// deep makes n directories inside one another, which no path can name any more, with a file at the bottom.
func deep(t *testing.T, dir string, n int) {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_DIRECTORY, 0)
	must(t, err)
	for range n {
		must(t, unix.Mkdirat(fd, "d", 0o755))
		next, err := unix.Openat(fd, "d", unix.O_DIRECTORY, 0)
		must(t, err)
		must(t, unix.Close(fd))
		fd = next
	}
	f, err := unix.Openat(fd, "bottom", unix.O_CREAT|unix.O_WRONLY, 0o644)
	must(t, err)
	must(t, errors.Join(unix.Close(f), unix.Close(fd)))
}

// hostile fills a site's data directory with whatever its owner could think of, and returns what must survive.
func hostile(t *testing.T, root, data string) (outside string) {
	t.Helper()
	outside = filepath.Join(root, "outside")
	must(t, os.MkdirAll(filepath.Join(outside, "sub"), 0o755))
	write(t, filepath.Join(outside, "sub", "precious"), 1<<20)
	for name, target := range map[string]string{
		"up": "../../..", "absolute": outside, "precious": filepath.Join(outside, "sub/precious"), "loop": "loop",
		"root": "/", "dangling": "nowhere", "other-site": "../../s000000000",
	} {
		must(t, os.Symlink(target, filepath.Join(data, name)))
	}
	must(t, os.Link(filepath.Join(outside, "sub/precious"), filepath.Join(data, "hardlink")))
	must(t, unix.Mkfifo(filepath.Join(data, "pipe"), 0o644))
	must(t, os.Mkdir(filepath.Join(data, "closed"), 0o755))
	write(t, filepath.Join(data, "closed", "inside"), 10)
	must(t, os.Chmod(filepath.Join(data, "closed"), 0o500))
	for _, name := range []string{"new\nline", "-rf", strings.Repeat("x", 255), "\xff\xfe", " ", "é"} {
		write(t, filepath.Join(data, name), 10)
	}
	for i := range 1500 {
		write(t, filepath.Join(data, fmt.Sprintf("many-%d", i)), 0)
	}
	deep(t, data, 3000)
	return outside
}

func TestRemovingAHostileTreeRemovesItAndNothingElse(t *testing.T) {
	root, data := home(t)
	outside := hostile(t, root, data)
	other := filepath.Join(root, "sites", "s000000000")
	must(t, os.Mkdir(other, 0o755))
	if os.Geteuid() != 0 { // only root passes over a closed directory, as the worker is
		must(t, os.Chmod(filepath.Join(data, "closed"), 0o700))
	}
	d := disk.New(disk.Options{Root: root})
	must(t, d.Remove(t.Context(), id))
	for _, gone := range []string{"sites/" + id, "run/app/" + id} {
		if _, err := os.Lstat(filepath.Join(root, gone)); !os.IsNotExist(err) {
			t.Errorf("%s is still there (%v)", gone, err)
		}
	}
	if info, err := os.Stat(filepath.Join(outside, "sub", "precious")); err != nil || info.Size() != 1<<20 {
		t.Errorf("what lies outside was touched: %v", err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Errorf("another site was touched: %v", err)
	}
	must(t, d.Remove(t.Context(), id)) // absent
	if ids, err := d.IDs(t.Context()); err != nil || !slices.Equal(ids, []string{"s000000000"}) {
		t.Errorf("left are %v (%v)", ids, err)
	}
}

func TestRemovingGoesOnWhereItWasBrokenOff(t *testing.T) {
	root, data := home(t)
	deep(t, data, 500)
	for i := range 40 { // what a predecessor lifted and did not come to remove
		lifted := filepath.Join(filepath.Dir(data), fmt.Sprintf(".lifted-%d", i))
		must(t, os.Mkdir(lifted, 0o755))
		write(t, filepath.Join(lifted, "x"), 1)
	}
	d := disk.New(disk.Options{Root: root})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wants(t, "removing under a cancelled request", d.Remove(ctx, id), context.Canceled)
	must(t, d.Remove(t.Context(), id))
}

func TestALinkInPlaceOfASiteIsRemovedNotFollowed(t *testing.T) {
	root, data := home(t)
	must(t, os.RemoveAll(filepath.Dir(data)))
	target := t.TempDir()
	write(t, filepath.Join(target, "precious"), 1)
	must(t, os.Symlink(target, filepath.Join(root, "sites", id)))
	d := disk.New(disk.Options{Root: root})
	if _, err := d.Usage(t.Context(), id); err == nil {
		t.Error("usage follows the link")
	}
	must(t, d.Remove(t.Context(), id))
	if _, err := os.Stat(filepath.Join(target, "precious")); err != nil {
		t.Errorf("removing followed the link: %v", err)
	}
}

func TestUsageCountsWhatTheSiteTakesAndNothingElse(t *testing.T) {
	root, data := home(t)
	d := disk.New(disk.Options{Root: root})
	before, err := d.Usage(t.Context(), id)
	must(t, err)
	const mib = 1 << 20
	write(t, filepath.Join(data, "video"), 3*mib)
	for i := range 5 {
		must(t, os.Link(filepath.Join(data, "video"), filepath.Join(data, fmt.Sprintf("again-%d", i))))
	}
	sparse, err := os.Create(filepath.Join(data, "sparse"))
	must(t, err)
	must(t, errors.Join(sparse.Truncate(1<<40), sparse.Close()))
	big := filepath.Join(root, "big")
	write(t, big, 20*mib)
	must(t, os.Symlink(big, filepath.Join(data, "link")))
	must(t, os.Symlink(root, filepath.Join(data, "link-to-root")))
	after, err := d.Usage(t.Context(), id)
	must(t, err)
	if grown := after - before; grown < 3*mib || grown > 3*mib+64<<10 {
		t.Errorf("three mebibytes count as %d bytes", grown)
	}
}

func TestALongBranchHidesNothing(t *testing.T) {
	root, data := home(t)
	deep(t, data, 1000)
	d := disk.New(disk.Options{Root: root})
	taken, err := d.SiteUsage(t.Context(), tenants.Site{ID: id})
	if err != nil || taken.Files < 1000 || taken.Bytes < 1000*4096/2 {
		t.Errorf("a branch of a thousand levels counts as %+v, %v", taken, err)
	}
	must(t, d.Remove(t.Context(), id)) // the test's own clean-up cannot name it either
}

func TestUsageOfATreeTooOddSaysSoBesideWhatItCounted(t *testing.T) {
	root, data := home(t)
	for i := range 66 {
		branch := filepath.Join(data, fmt.Sprint(i))
		must(t, os.Mkdir(branch, 0o755))
		deep(t, branch, 203)
	}
	d := disk.New(disk.Options{Root: root})
	taken, err := d.SiteUsage(t.Context(), tenants.Site{ID: id})
	if err == nil || taken.Files < 10_000 {
		t.Errorf("many branches too deep count as %+v, %v", taken, err)
	}
	must(t, d.Remove(t.Context(), id))
}

func TestUsageOfASiteWithoutFilesIsNotFound(t *testing.T) {
	d := disk.New(disk.Options{Root: t.TempDir()})
	_, err := d.Usage(t.Context(), id)
	wants(t, "usage", err, tenants.ErrNotFound)
	must(t, d.Remove(t.Context(), id))
}

func TestNamesThatAreNoSitesAreRefused(t *testing.T) {
	root, _ := home(t)
	d := disk.New(disk.Options{Root: root})
	for _, bad := range []string{"", ".", "..", "../sites", "s7k2m9qx4p/data", "S7K2M9QX4P", "s7k2m9qx4"} {
		wants(t, "removing "+bad, d.Remove(t.Context(), bad), tenants.ErrInvalid)
		_, err := d.Usage(t.Context(), bad)
		wants(t, "measuring "+bad, err, tenants.ErrInvalid)
		_, err = d.Secret(t.Context(), bad, disk.DBPassword)
		wants(t, "reading a secret of "+bad, err, tenants.ErrInvalid)
		wants(t, "making "+bad, d.Ensure(t.Context(), tenants.Site{ID: bad, UID: 200000}), tenants.ErrInvalid)
	}
	_, err := d.Secret(t.Context(), id, "../../../etc/passwd")
	wants(t, "reading a secret that is none", err, tenants.ErrInvalid)
	if _, err := os.Stat(filepath.Join(root, "sites", id)); err != nil {
		t.Error(err)
	}
}

func TestRoomSaysHowMuchIsMissing(t *testing.T) {
	root := t.TempDir()
	must(t, disk.New(disk.Options{Root: root}).Room(t.Context(), 1))
	var stat unix.Statfs_t
	must(t, unix.Statfs(root, &stat))
	free := int64(stat.Bavail) * stat.Bsize
	err := disk.New(disk.Options{Root: root, Reserve: free}).Room(t.Context(), 512<<20)
	wants(t, "512 MiB above a reserve of all there is", err, tenants.ErrDiskFull)
	if missing := mebibytes(t, err); math.Abs(missing-512) > 256 { // others use the disk meanwhile
		t.Errorf("%v: want some 512 MiB", err)
	}
}

func mebibytes(t *testing.T, err error) float64 {
	t.Helper()
	var n float64
	for _, word := range strings.Fields(fmt.Sprint(err)) {
		if _, e := fmt.Sscanf(word, "%f", &n); e == nil {
			return n
		}
	}
	t.Errorf("no figure in %v", err)
	return 0
}
