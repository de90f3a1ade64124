package disk

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"chatiere/tenants"
)

const mebibyte = 1 << 20

// inodeReserve is how many files must still fit: a disk out of inodes is as full as one out of bytes.
const inodeReserve = 10_000

// Room returns ErrDiskFull (wrapped, saying how much is missing) when less than need bytes are free above the reserve.
func (d *Disk) Room(_ context.Context, need int64) error {
	var stat unix.Statfs_t
	if err := unix.Statfs(d.o.Root, &stat); err != nil {
		return fmt.Errorf("asking for the free space of %s: %w", d.o.Root, err)
	}
	free := int64(stat.Bavail) * stat.Bsize //nolint:gosec // blocks times block size fit
	if missing := need + d.o.Reserve - free; missing > 0 {
		return fmt.Errorf("%w: %d MiB are missing on the file system of %s", tenants.ErrDiskFull, (missing+mebibyte-1)/mebibyte, d.o.Root)
	}
	if stat.Files > 0 && stat.Ffree < inodeReserve {
		return fmt.Errorf("%w: only %d more files fit on the file system of %s", tenants.ErrDiskFull, stat.Ffree, d.o.Root)
	}
	return nil
}
