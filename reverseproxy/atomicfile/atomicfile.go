// Package atomicfile replaces files whole: a reader, or a crash at any instant, meets the old content or the new. It knows
// nothing of what the files are for.
//
// To renameio it adds what a data root needs: the directory is synced too, so that a replaced file survives a power cut;
// mode and owner are set before the content has its name; and the temporary file always lies beside its target.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// Write replaces the file at path, which then has exactly this mode.
func Write(path string, data []byte, mode fs.FileMode) error {
	return WriteOwned(path, data, mode, -1, -1)
}

// WriteOwned is Write for a file of somebody else; -1 leaves the owner or the group as it is for a new file.
func WriteOwned(path string, data []byte, mode fs.FileMode, uid, gid int) error {
	file, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path))) // 0600 until it has its owner
	if err != nil {
		return err
	}
	defer func() { _ = file.Cleanup() }() // does nothing when all went well
	if _, err := file.Write(data); err != nil {
		return err
	}
	if err := file.Chown(uid, gid); err != nil {
		return err
	}
	if err := file.Chmod(mode); err != nil { // after chown, which may clear bits
		return err
	}
	if err := file.CloseAtomicallyReplace(); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes what was created, renamed or removed in a directory survive a power cut.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing directory: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("syncing directory: %w", err)
	}
	return nil
}

// Unfinished returns a pattern, for filepath.Glob, of what killed writers of path have left beside it. The last element of
// path may itself be a pattern.
func Unfinished(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"[0-9]*")
}
