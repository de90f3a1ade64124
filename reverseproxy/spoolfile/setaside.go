package spoolfile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// BadSuffix ends the name of a file that could not be read and was set aside.
const BadSuffix = ".bad"

const (
	maxBad = 20
	badAge = 30 * 24 * time.Hour
)

// SetAside lists the files of dir that were set aside. It first removes those last written more than 30 days before now,
// and the oldest by name of more than twenty, so that a writer that only writes rubbish fills no disk.
func SetAside(dir string, now time.Time) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+BadSuffix))
	if err != nil {
		return nil, fmt.Errorf("listing spool: %w", err)
	}
	slices.Sort(paths)
	var kept []string
	for i, path := range paths {
		info, err := os.Lstat(path)
		if err == nil && len(paths)-i <= maxBad && now.Sub(info.ModTime()) <= badAge {
			kept = append(kept, path)
			continue
		}
		if err == nil {
			err = os.Remove(path)
		}
		if err != nil && !os.IsNotExist(err) {
			return append(kept, paths[i:]...), fmt.Errorf("removing an old file: %w", err)
		}
	}
	return kept, nil
}
