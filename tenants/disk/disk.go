// Package disk makes, measures and removes what sites have on the data root: their files, secrets and socket directories.
//
// A site's owner decides what lies below its data directory, so nothing in here follows a link from there: walking and
// removing go from one open directory to the next. The package knows no container and no database. Start reading at Disk.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"syscall"

	"golang.org/x/sys/unix"

	"chatiere/tenants"
	"chatiere/tenants/provision"
)

// Options say where the data root is and who else reads below it.
type Options struct {
	Root        string
	ProxyGID    int    // may enter run/app/<id>/http
	GatewayUID  int    // owns the directories of the sites' ways out
	DatabaseUID int    // owns run/mariadb-sites/<id>
	Reserve     int64  // bytes that no work may eat
	Entry       []byte // what sites check assertions with: entry.json beside their secrets; empty: none is written
}

// Disk implements provision.Disk.
type Disk struct {
	o         Options
	processes processes
}

var _ provision.Disk = (*Disk)(nil)

// New returns a disk. It touches nothing yet.
func New(o Options) *Disk { return &Disk{o: o, processes: processes{proc: "/proc"}} }

// The secrets of a site, as files below its secrets directory.
const (
	DBPassword    = "db_password"
	SecretKey     = "secret_key"
	AdminPassword = "admin_password"
)

// EntryFile lies beside the secrets, since that directory is mounted whole, but holds nothing secret: the issuer's name
// and public key.
const EntryFile = "entry.json"

// EntrantsFile lies beside it: who may enter the site at present.
const EntrantsFile = "people.json"

var siteID = regexp.MustCompile(`^s[0-9a-z]{9}$`)

// place is one directory of a site.
type dirSpec struct {
	path     string // below the data root
	uid, gid int
	mode     fs.FileMode
}

// shared are the directories that all sites' places lie in; they are root's.
var shared = []string{"sites", "run", "run/app", "run/mariadb-sites"}

// places lists the site's directories, parents first. Those that hold the site's own ones are root's, so that the site
// cannot exchange them.
func (d *Disk) places(s tenants.Site) []dirSpec {
	home := path.Join("sites", s.ID)
	data := dirSpec{dataOf(s), s.UID, s.UID, 0o750}
	if len(s.Release.Places) > 0 {
		data = parentDir(s, dataOf(s))
	}
	return append([]dirSpec{
		{home, 0, 0, 0o755},
		data,
		{path.Join(home, "secrets"), s.UID, s.UID, 0o500},
	}, d.sockets(s)...)
}

// sockets are the places of a site's release that may lie in memory: nothing in them outlives a reboot.
func (d *Disk) sockets(s tenants.Site) []dirSpec {
	run := path.Join("run/app", s.ID)
	places := []dirSpec{{run, 0, 0, 0o755}}
	if s.Release.Sockets != "" {
		places = append(places, dirSpec{path.Join(run, s.Release.Sockets), 0, 0, 0o755})
	}
	return append(places,
		dirSpec{httpOf(s), s.UID, d.o.ProxyGID, 0o750 | fs.ModeSetgid},
		dirSpec{path.Join(run, s.Release.Sockets, gateDir), d.o.GatewayUID, s.UID, 0o750 | fs.ModeSetgid},
		d.database(s),
	)
}

const (
	httpDir = "http"
	gateDir = "gate"
)

// httpOf is where the web server of a site's release makes its socket.
func httpOf(s tenants.Site) string { return path.Join("run/app", s.ID, s.Release.Sockets, httpDir) }

// database is where the site's own socket of the sites' database lies; the forwarder beside that database makes it.
func (d *Disk) database(s tenants.Site) dirSpec {
	return dirSpec{path.Join("run/mariadb-sites", s.ID), d.o.DatabaseUID, s.UID, 0o750 | fs.ModeSetgid}
}

// Ensure makes the site's directories with their owners, and the secrets that do not exist yet.
func (d *Disk) Ensure(ctx context.Context, s tenants.Site) error {
	root, err := d.open(s)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	if err := ensure(ctx, root, d.places(s)); err != nil {
		return err
	}
	if err := ensureMountDirs(root, s); err != nil {
		return err
	}
	if err := ensureSecrets(root, s); err != nil {
		return full("making the secrets of site "+s.ID, err)
	}
	return full("writing the key of the panel for site "+s.ID, d.ensureEntry(root, s))
}

// open opens the data root for making what belongs to the site.
func (d *Disk) open(s tenants.Site) (*os.Root, error) {
	if !siteID.MatchString(s.ID) || s.UID < 1000 {
		return nil, fmt.Errorf("making the directories of site %q with uid %d: %w", s.ID, s.UID, tenants.ErrInvalid)
	}
	root, err := os.OpenRoot(d.o.Root)
	return root, full("opening the data root", err)
}

func ensure(ctx context.Context, root *os.Root, places []dirSpec) error {
	for _, name := range shared {
		if err := makeShared(root, name); err != nil {
			return full("making "+name, err)
		}
	}
	for _, p := range places {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.ensure(root); err != nil {
			return full("making "+p.path, err)
		}
	}
	return nil
}

// makeShared makes a directory of root's, whatever the umask; one that is there stays as it is.
func makeShared(root *os.Root, name string) error {
	err := root.Mkdir(name, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return root.Chmod(name, 0o755)
}

// ensure makes a directory or puts an existing one right, and makes sure that it is still there after a power cut.
func (p dirSpec) ensure(root *os.Root) error {
	if err := root.Mkdir(p.path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	dir, err := openDir(root, p.path)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	if err := p.setOwner(dir); err != nil {
		return err
	}
	return syncDir(root, path.Dir(p.path))
}

// openDir opens a directory and nothing else, not through a link either.
func openDir(root *os.Root, name string) (*os.File, error) {
	return root.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
}

func syncDir(root *os.Root, name string) error {
	dir, err := openDir(root, name)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	return dir.Sync()
}

// Ready reports whether everything Ensure makes is there, with its owner and mode.
func (d *Disk) Ready(_ context.Context, s tenants.Site) (bool, error) {
	root, err := os.OpenRoot(d.o.Root)
	if err != nil {
		return false, full("opening the data root", err)
	}
	defer func() { _ = root.Close() }()
	for _, p := range append(d.places(s), mountDirs(s)...) {
		if ok, err := p.ready(root); err != nil || !ok {
			return false, err
		}
	}
	for _, name := range secretNames {
		info, err := root.Lstat(path.Join("sites", s.ID, "secrets", name))
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("looking at secret %s of site %s: %w", name, s.ID, err)
		}
		if owner(info) != s.UID || info.Mode() != 0o400 {
			return false, nil
		}
	}
	return d.entryReady(root, s)
}

func (p dirSpec) ready(root *os.Root) (bool, error) {
	info, err := root.Lstat(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking at %s: %w", p.path, err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == p.uid && int(stat.Gid) == p.gid && info.Mode() == p.mode|fs.ModeDir, nil
}

func owner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}

// full wraps an error with what was being done; a full disk gets the domain's name for it.
func full(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("%s: %w: %w", doing, tenants.ErrDiskFull, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
