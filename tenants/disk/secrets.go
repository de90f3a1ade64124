package disk

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"chatiere/tenants"
)

var secretNames = []string{DBPassword, SecretKey, AdminPassword}

// newSecret returns a new secret: 64 bytes in hexadecimal for the key, 32 signs that fit anywhere for passwords.
func newSecret(name string) string {
	b := make([]byte, 64)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program rather than return an error
	if name == SecretKey {
		return hex.EncodeToString(b)
	}
	return base64.RawURLEncoding.EncodeToString(b[:24])
}

// ensureSecrets writes the secrets that are not there. One that is there is never written again: the database and the
// application know it already.
func ensureSecrets(root *os.Root, s tenants.Site) error {
	dir := path.Join("sites", s.ID, "secrets")
	for _, name := range secretNames {
		if err := ensureSecret(root, path.Join(dir, name), s.UID, newSecret(name)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return syncDir(root, dir)
}

// ensureSecret writes it beside its place first and then links it there: the name appears with the whole content, and
// linking, unlike renaming, leaves an older one alone.
func ensureSecret(root *os.Root, name string, uid int, value string) error {
	switch _, err := root.Lstat(name); {
	case err == nil:
		return restoreOwner(root, name, uid)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	beside := path.Join(path.Dir(name), ".new-"+rand.Text())
	if err := write(root, beside, uid, value); err != nil {
		return errors.Join(err, root.Remove(beside))
	}
	err := root.Link(beside, name)
	if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	return errors.Join(err, root.Remove(beside))
}

func write(root *os.Root, name string, uid int, value string) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	for _, do := range []func() error{func() error { return f.Chown(uid, uid) }, f.Sync} {
		if err == nil {
			err = do()
		}
	}
	return errors.Join(err, f.Close())
}

// restoreOwner sets owner and mode of an existing secret again, which a restore may have changed.
func restoreOwner(root *os.Root, name string, uid int) error {
	if err := root.Lchown(name, uid, uid); err != nil {
		return err
	}
	return root.Chmod(name, 0o400)
}

// Secret reads one of the site's secrets; ErrNotFound when it is not there.
func (d *Disk) Secret(_ context.Context, id, name string) (string, error) {
	doing := fmt.Sprintf("reading secret %q of site %q", name, id)
	if !siteID.MatchString(id) || !slices.Contains(secretNames, name) {
		return "", fmt.Errorf("%s: %w", doing, tenants.ErrInvalid)
	}
	root, err := os.OpenRoot(d.o.Root)
	if err != nil {
		return "", fmt.Errorf("%s: %w", doing, err)
	}
	defer func() { _ = root.Close() }()
	value, err := root.ReadFile(path.Join("sites", id, "secrets", name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: %w", doing, tenants.ErrNotFound)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", doing, err)
	}
	return string(value), nil
}
