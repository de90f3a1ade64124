package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"chatiere/tenants"
	"chatiere/tenants/reserve"
)

// Usage returns the bytes the site's files take on the disk; ErrNotFound when it has none.
func (d *Disk) Usage(ctx context.Context, id string) (int64, error) {
	m, err := d.measure(ctx, id, path.Join("sites", id))
	return m.Bytes, err
}

// Taken measures the site's files and those of its database together. A site too odd to be measured whole gives what was
// counted, with an error.
func (d *Disk) Taken(ctx context.Context, s tenants.Site) (reserve.Taken, error) {
	files, err := d.measure(ctx, s.ID, path.Join("sites", s.ID))
	if errors.Is(err, tenants.ErrNotFound) {
		err = nil // it is being made
	}
	tables, dbErr := d.measure(ctx, s.ID, path.Join("mariadb-sites/data", s.Database()))
	if errors.Is(dbErr, tenants.ErrNotFound) {
		dbErr = nil
	}
	return reserve.Taken{Bytes: files.Bytes + tables.Bytes, Files: files.Files + tables.Files}, errors.Join(err, dbErr)
}

func (d *Disk) measure(ctx context.Context, id, below string) (reserve.Taken, error) {
	doing := fmt.Sprintf("measuring the files of site %q", id)
	if !siteID.MatchString(id) {
		return reserve.Taken{}, fmt.Errorf("%s: %w", doing, tenants.ErrInvalid)
	}
	root, err := os.OpenRoot(d.o.Root)
	if err != nil {
		return reserve.Taken{}, fmt.Errorf("%s: %w", doing, err)
	}
	defer func() { _ = root.Close() }()
	home, err := openDir(root, below)
	if errors.Is(err, fs.ErrNotExist) {
		return reserve.Taken{}, fmt.Errorf("%s: %w", doing, tenants.ErrNotFound)
	}
	if err != nil {
		return reserve.Taken{}, fmt.Errorf("%s: %w", doing, err)
	}
	defer func() { _ = home.Close() }()
	var stat unix.Stat_t
	if err := unix.Fstat(int(home.Fd()), &stat); err != nil {
		return reserve.Taken{}, fmt.Errorf("%s: %w", doing, err)
	}
	m := &measure{dev: stat.Dev, seen: map[inode]bool{}}
	m.count(stat)
	if err = m.tree(ctx, home); err != nil {
		err = fmt.Errorf("%s: %w", doing, err)
	}
	return reserve.Taken{Bytes: m.bytes, Files: m.files}, err
}
