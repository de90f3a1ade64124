package disk

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"chatiere/tenants"
)

// EnsureEntry gives a site that exists the key it knows the panel by, or exchanges an old one. Its running processes see
// it at once: they have the directory, and not the file.
func (d *Disk) EnsureEntry(_ context.Context, s tenants.Site) error {
	root, err := d.open(s)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	return full("giving site "+s.ID+" the key of the panel", d.ensureEntry(root, s))
}

func entryOf(id string) string { return path.Join("sites", id, "secrets", EntryFile) }

// ensureEntry writes beside and renames, so that a page never reads half of it.
func (d *Disk) ensureEntry(root *os.Root, s tenants.Site) error {
	if len(d.o.Entry) == 0 {
		return nil
	}
	if ready, err := d.entryReady(root, s); err != nil || ready {
		return err
	}
	beside := path.Join(path.Dir(entryOf(s.ID)), ".new-"+rand.Text())
	err := write(root, beside, s.UID, string(d.o.Entry))
	if err == nil {
		err = root.Rename(beside, entryOf(s.ID))
	}
	if err != nil {
		return errors.Join(err, ignoreMissing(root.Remove(beside)))
	}
	return syncDir(root, path.Dir(beside))
}

func (d *Disk) entryReady(root *os.Root, s tenants.Site) (bool, error) {
	if len(d.o.Entry) == 0 {
		return true, nil
	}
	info, err := root.Lstat(entryOf(s.ID))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking at the key of the panel in site %s: %w", s.ID, err)
	}
	if owner(info) != s.UID || info.Mode() != 0o400 {
		return false, nil
	}
	content, err := root.ReadFile(entryOf(s.ID))
	return bytes.Equal(content, d.o.Entry), err
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
