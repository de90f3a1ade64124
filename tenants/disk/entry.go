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

// EnsureEntry writes the key by which an existing site checks assertions, or replaces an old one. Its running processes see
// the new file at once: they have the directory mounted, not the file.
func (d *Disk) EnsureEntry(_ context.Context, s tenants.Site) error {
	root, err := d.open(s)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	return full("writing the key of the panel for site "+s.ID, d.ensureEntry(root, s))
}

// SaveEntrants writes the list of who may enter an existing site. changed is false if the site has that list already.
func (d *Disk) SaveEntrants(_ context.Context, s tenants.Site, content []byte) (changed bool, err error) {
	root, err := d.open(s)
	if err != nil {
		return false, err
	}
	defer func() { _ = root.Close() }()
	changed, err = replaceFile(root, s, EntrantsFile, content)
	return changed, full("writing who may enter site "+s.ID, err)
}

func secretPath(id, name string) string { return path.Join("sites", id, "secrets", name) }

func (d *Disk) ensureEntry(root *os.Root, s tenants.Site) error {
	if len(d.o.Entry) == 0 {
		return nil
	}
	_, err := replaceFile(root, s, EntryFile, d.o.Entry)
	return err
}

func (d *Disk) entryReady(root *os.Root, s tenants.Site) (bool, error) {
	if len(d.o.Entry) == 0 {
		return true, nil
	}
	return same(root, s, EntryFile, d.o.Entry)
}

// replaceFile writes a temporary file and renames it, so that a page never reads half of it.
func replaceFile(root *os.Root, s tenants.Site, name string, content []byte) (changed bool, err error) {
	if ready, err := same(root, s, name, content); err != nil || ready {
		return false, err
	}
	beside := secretPath(s.ID, ".new-"+rand.Text())
	err = write(root, beside, s.UID, string(content))
	if err == nil {
		err = root.Rename(beside, secretPath(s.ID, name))
	}
	if err != nil {
		return false, errors.Join(err, ignoreMissing(root.Remove(beside)))
	}
	return true, syncDir(root, path.Dir(beside))
}

// same reports whether the site has the file with this content, and owner and mode as we write them.
func same(root *os.Root, s tenants.Site, name string, content []byte) (bool, error) {
	info, err := root.Lstat(secretPath(s.ID, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("checking %s of site %s: %w", name, s.ID, err)
	}
	if owner(info) != s.UID || info.Mode() != 0o400 {
		return false, nil
	}
	have, err := root.ReadFile(secretPath(s.ID, name))
	return bytes.Equal(have, content), err
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
