package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"chatiere/tenants"
)

// EnsureSockets makes the directories of the sockets of the site's release, and of its data those that are mounted by
// themselves.
func (d *Disk) EnsureSockets(ctx context.Context, s tenants.Site) error {
	root, err := d.open(s)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	if err := ensure(ctx, root, d.sockets(s)); err != nil {
		return err
	}
	return ensureMountDirs(root, s)
}

// RetireSockets removes the directories of the sockets of all other releases of the site.
func (d *Disk) RetireSockets(ctx context.Context, s tenants.Site) error {
	root, err := d.open(s)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	dir, err := openDir(root, path.Join("run/app", s.ID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("removing old sockets of site %s: %w", s.ID, err)
	}
	defer func() { _ = dir.Close() }()
	keep := []string{s.Release.Sockets}
	if s.Release.Sockets == "" {
		keep = []string{httpDir, gateDir}
	}
	return eachEntry(ctx, dir, func(name string) error {
		if slices.Contains(keep, name) {
			return nil
		}
		return removeTree(ctx, dir, name)
	})
}

// EnsureDatabaseSocket makes the directory of the site's socket of the database alone. A running container does not mind:
// it holds the one that was there, or one that all sites shared.
func (d *Disk) EnsureDatabaseSocket(ctx context.Context, s tenants.Site) error {
	root, err := d.open(s)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	return ensure(ctx, root, []dirSpec{d.database(s)})
}

// Clean removes whatever is no socket in the directory that the site's web server makes its socket in: the site can write
// there, and nothing but that socket is looked for.
func (d *Disk) Clean(ctx context.Context, s tenants.Site) error {
	if !siteID.MatchString(s.ID) {
		return fmt.Errorf("cleaning the sockets of site %q: %w", s.ID, tenants.ErrInvalid)
	}
	root, err := os.OpenRoot(d.o.Root)
	if err != nil {
		return full("opening the data root", err)
	}
	defer func() { _ = root.Close() }()
	dir, err := openDir(root, httpOf(s))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cleaning the sockets of site %s: %w", s.ID, err)
	}
	defer func() { _ = dir.Close() }()
	return eachEntry(ctx, dir, func(name string) error {
		var stat unix.Stat_t
		switch err := unix.Fstatat(int(dir.Fd()), name, &stat, unix.AT_SYMLINK_NOFOLLOW); {
		case errors.Is(err, fs.ErrNotExist), err == nil && stat.Mode&unix.S_IFMT == unix.S_IFSOCK:
			return nil // gone, or what belongs here
		case err != nil:
			return fmt.Errorf("cleaning the sockets of site %s: %w", s.ID, err)
		}
		return removeTree(ctx, dir, name)
	})
}

// Has reports whether the site's data are there, and whether the directories of its sockets are as Ensure makes them.
func (d *Disk) Has(_ context.Context, s tenants.Site) (data, sockets bool, err error) {
	root, err := os.OpenRoot(d.o.Root)
	if err != nil {
		return false, false, full("opening the data root", err)
	}
	defer func() { _ = root.Close() }()
	info, err := root.Lstat(dataOf(s))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, false, fmt.Errorf("looking at the data of site %s: %w", s.ID, err)
	}
	data = err == nil && info.IsDir()
	for _, p := range d.sockets(s) {
		if ok, err := p.ready(root); err != nil || !ok {
			return data, false, err
		}
	}
	return data, true, nil
}

// HighestUID returns the highest user id, up to last, that a site's data belong to; 0 when there is none. Ids above last were
// given by hand: no site will get them.
func (d *Disk) HighestUID(ctx context.Context, last int) (int, error) {
	ids, err := d.IDs(ctx)
	if err != nil {
		return 0, err
	}
	root, err := os.OpenRoot(d.o.Root)
	if err != nil {
		return 0, fmt.Errorf("opening the data root: %w", err)
	}
	defer func() { _ = root.Close() }()
	highest := 0
	for _, id := range ids {
		info, err := root.Lstat(dataOf(tenants.Site{ID: id}))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("looking whose the data of site %s are: %w", id, err)
		}
		if uid := group(info); uid <= last { // the owner may be root, see parentDir
			highest = max(highest, uid)
		}
	}
	return highest, nil
}

// dataOf is where the data of a site lie, in the generation of its release.
func dataOf(s tenants.Site) string {
	return path.Join("sites", s.ID, tenants.DataDirectory(s.Release.Generation))
}
