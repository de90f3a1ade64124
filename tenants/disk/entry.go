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

// SaveEntrants tells a site that exists who may enter it, in the site's own words. It reports whether that is news.
func (d *Disk) SaveEntrants(_ context.Context, s tenants.Site, content []byte) (changed bool, err error) {
	root, err := d.open(s)
	if err != nil {
		return false, err
	}
	defer func() { _ = root.Close() }()
	changed, err = exchange(root, s, EntrantsFile, content)
	return changed, full("telling site "+s.ID+" who may enter it", err)
}

func besideSecrets(id, name string) string { return path.Join("sites", id, "secrets", name) }

func (d *Disk) ensureEntry(root *os.Root, s tenants.Site) error {
	if len(d.o.Entry) == 0 {
		return nil
	}
	_, err := exchange(root, s, EntryFile, d.o.Entry)
	return err
}

func (d *Disk) entryReady(root *os.Root, s tenants.Site) (bool, error) {
	if len(d.o.Entry) == 0 {
		return true, nil
	}
	return same(root, s, EntryFile, d.o.Entry)
}

// exchange writes beside and renames, so that a page never reads half of it.
func exchange(root *os.Root, s tenants.Site, name string, content []byte) (changed bool, err error) {
	if ready, err := same(root, s, name, content); err != nil || ready {
		return false, err
	}
	beside := besideSecrets(s.ID, ".new-"+rand.Text())
	err = write(root, beside, s.UID, string(content))
	if err == nil {
		err = root.Rename(beside, besideSecrets(s.ID, name))
	}
	if err != nil {
		return false, errors.Join(err, ignoreMissing(root.Remove(beside)))
	}
	return true, syncDir(root, path.Dir(beside))
}

// same reports whether the site has the file with this content, and owner and mode as we write them.
func same(root *os.Root, s tenants.Site, name string, content []byte) (bool, error) {
	info, err := root.Lstat(besideSecrets(s.ID, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking at %s of site %s: %w", name, s.ID, err)
	}
	if owner(info) != s.UID || info.Mode() != 0o400 {
		return false, nil
	}
	have, err := root.ReadFile(besideSecrets(s.ID, name))
	return bytes.Equal(have, content), err
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
