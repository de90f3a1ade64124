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
	"chatiere/tenants/diskguard"
)

// Usage returns the bytes the site's files take on the disk; ErrNotFound when it has none.
func (d *Disk) Usage(ctx context.Context, id string) (int64, error) {
	m, err := d.measure(ctx, id, path.Join("sites", id))
	return m.Bytes, err
}

// SiteUsage measures the site's files, those of its database and what lies where its sockets are, files without a name that
// its processes hold open included. If the tree cannot be walked completely, the
// partial sum is returned together with an error.
func (d *Disk) SiteUsage(ctx context.Context, s tenants.Site) (diskguard.Usage, error) {
	var sum diskguard.Usage
	var faults []error
	places := []string{path.Join("sites", s.ID), path.Join("run/app", s.ID)}
	if s.Database() != "" {
		places = append(places, path.Join("mariadb-sites/data", s.Database()))
	}
	for _, below := range places {
		part, err := d.measure(ctx, s.ID, below)
		sum.Bytes, sum.Files = sum.Bytes+part.Bytes, sum.Files+part.Files
		if err != nil && !errors.Is(err, tenants.ErrNotFound) { // it may be being made
			faults = append(faults, err)
		}
	}
	var stat unix.Stat_t
	if err := unix.Stat(path.Join(d.o.Root, "sites"), &stat); err == nil {
		nameless, err := d.processes.unlinked(ctx, s.UID, stat.Dev)
		sum.Bytes += nameless
		faults = append(faults, err)
	}
	return sum, errors.Join(faults...)
}

func (d *Disk) measure(ctx context.Context, id, below string) (diskguard.Usage, error) {
	doing := fmt.Sprintf("measuring the files of site %q", id)
	if !siteID.MatchString(id) {
		return diskguard.Usage{}, fmt.Errorf("%s: %w", doing, tenants.ErrInvalid)
	}
	root, err := os.OpenRoot(d.o.Root)
	if err != nil {
		return diskguard.Usage{}, fmt.Errorf("%s: %w", doing, err)
	}
	defer func() { _ = root.Close() }()
	home, err := openDir(root, below)
	if errors.Is(err, fs.ErrNotExist) {
		return diskguard.Usage{}, fmt.Errorf("%s: %w", doing, tenants.ErrNotFound)
	}
	if err != nil {
		return diskguard.Usage{}, fmt.Errorf("%s: %w", doing, err)
	}
	defer func() { _ = home.Close() }()
	var stat unix.Stat_t
	if err := unix.Fstat(int(home.Fd()), &stat); err != nil {
		return diskguard.Usage{}, fmt.Errorf("%s: %w", doing, err)
	}
	m := &measure{dev: stat.Dev}
	m.count(stat)
	if err = m.tree(ctx, home); err != nil {
		err = fmt.Errorf("%s: %w", doing, err)
	}
	return m.sum(), err
}
