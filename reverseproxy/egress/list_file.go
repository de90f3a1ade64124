package egress

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"chatiere/reverseproxy/atomicfile"
)

const listSuffix = ".json"

// maxList is far above what maxAllow names take.
const maxList = 1 << 20

// WriteList writes a site's list into dir, where a running gateway finds it
// at once.
func WriteList(dir string, l List) error {
	text, err := EncodeList(l)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(dir, l.Site+listSuffix), text, 0o644); err != nil {
		return fmt.Errorf("writing %w: %w", ErrList, err)
	}
	return nil
}

// RemoveList removes a site's list, which closes its way out. A list that is
// not there is no error.
func RemoveList(dir, site string) error {
	if !siteID.MatchString(site) {
		return fmt.Errorf("removing %w: site %q", ErrList, site)
	}
	err := os.Remove(filepath.Join(dir, site+listSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("removing %w: %w", ErrList, err)
	}
	return atomicfile.SyncDir(dir)
}

// ReadList reads a list file, whose name must be the site's.
func ReadList(path string) (List, error) {
	info, err := os.Stat(path)
	if err != nil {
		return List{}, fmt.Errorf("reading %w: %w", ErrList, err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxList {
		return List{}, fmt.Errorf("reading %w: %s is no list file", ErrList, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return List{}, fmt.Errorf("reading %w: %w", ErrList, err)
	}
	l, err := DecodeList(text)
	if err != nil {
		return List{}, err
	}
	if filepath.Base(path) != l.Site+listSuffix {
		return List{}, fmt.Errorf("reading %w: %s is the list of %s", ErrList, path, l.Site)
	}
	return l, nil
}
