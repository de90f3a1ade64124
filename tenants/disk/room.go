package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"

	"chatiere/tenants"
	"chatiere/tenants/diskguard"
)

const mebibyte = 1 << 20

// inodeReserve is how many files must still fit: a disk out of inodes is as full as one out of bytes.
const inodeReserve = 10_000

// Room returns ErrDiskFull (wrapped, saying how much is missing) when less than need bytes are free above the reserve.
func (d *Disk) Room(ctx context.Context, need int64) error {
	space, err := d.Space(ctx)
	if err != nil {
		return err
	}
	if missing := need + diskguard.ReserveBytes(d.o.Reserve, space.Total) - space.Free; missing > 0 {
		return fmt.Errorf("%w: %d MiB are missing on the file system of %s", tenants.ErrDiskFull, (missing+mebibyte-1)/mebibyte, d.o.Root)
	}
	if space.Inodes > 0 && space.Files < inodeReserve {
		return fmt.Errorf("%w: only %d more files fit on the file system of %s", tenants.ErrDiskFull, space.Files, d.o.Root)
	}
	return nil
}

// Space returns the free space of the file system of the data root, or of that of the sites' files if it is another and
// fuller.
func (d *Disk) Space(context.Context) (diskguard.Space, error) {
	space, err := spaceOf(d.o.Root)
	if err != nil {
		return space, err
	}
	sites, err := spaceOf(filepath.Join(d.o.Root, "sites"))
	if errors.Is(err, fs.ErrNotExist) {
		return space, nil
	}
	if err == nil && sites.Free < space.Free {
		space = sites
	}
	return space, err
}

func spaceOf(dir string) (diskguard.Space, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return diskguard.Space{}, fmt.Errorf("asking for the free space of %s: %w", dir, err)
	}
	return diskguard.Space{
		Free: int64(stat.Bavail) * stat.Bsize, Total: int64(stat.Blocks) * stat.Bsize, //nolint:gosec // blocks times block size fit
		Files: int64(stat.Ffree), Inodes: int64(stat.Files), //nolint:gosec // inodes fit
	}, nil
}
