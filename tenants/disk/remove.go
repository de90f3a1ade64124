package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"chatiere/tenants"
)

// Remove removes everything of the site; absent is success. Its container must be gone.
func (d *Disk) Remove(ctx context.Context, id string) error {
	if !siteID.MatchString(id) {
		return fmt.Errorf("removing the files of site %q: %w", id, tenants.ErrInvalid)
	}
	root, err := os.OpenRoot(d.o.Root)
	if err != nil {
		return fmt.Errorf("opening the data root: %w", err)
	}
	defer func() { _ = root.Close() }()
	for _, parent := range []string{"run/app", "run/mariadb-sites", "sites"} {
		if err := removeBelow(ctx, root, parent, id); err != nil {
			return fmt.Errorf("removing %s/%s: %w", parent, id, err)
		}
	}
	return nil
}

// RemoveData removes the data directory of the site's release; absent is success. Nothing may run on it.
func (d *Disk) RemoveData(ctx context.Context, s tenants.Site) error {
	if !siteID.MatchString(s.ID) {
		return fmt.Errorf("removing data of site %q: %w", s.ID, tenants.ErrInvalid)
	}
	root, err := os.OpenRoot(d.o.Root)
	if err != nil {
		return fmt.Errorf("opening the data root: %w", err)
	}
	defer func() { _ = root.Close() }()
	dir, name := path.Split(dataOf(s))
	return removeBelow(ctx, root, path.Clean(dir), name)
}

func removeBelow(ctx context.Context, root *os.Root, parent, name string) error {
	dir, err := openDir(root, parent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	if err := removeTree(ctx, dir, name); err != nil {
		return err
	}
	return dir.Sync()
}

// IDs lists the sites that have files or sockets on the data root, for the reconciler to compare.
func (d *Disk) IDs(context.Context) ([]string, error) {
	seen := map[string]bool{}
	var out []string
	for _, parent := range []string{"sites", "run/app", "run/mariadb-sites"} {
		entries, err := os.ReadDir(path.Join(d.o.Root, parent))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("listing %s: %w", parent, err)
		}
		for _, e := range entries {
			if siteID.MatchString(e.Name()) && !seen[e.Name()] {
				seen[e.Name()] = true
				out = append(out, e.Name())
			}
		}
	}
	return out, nil
}
