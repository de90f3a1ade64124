package certs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// writeFile replaces path at once, with mode and group set before the content can be seen there.
func writeFile(path string, data []byte, mode fs.FileMode, group int) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // 0600 from the start
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	if err := fill(tmp, data, mode, group); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func fill(tmp *os.File, data []byte, mode fs.FileMode, group int) error {
	_, err := tmp.Write(data)
	if group != 0 {
		err = errors.Join(err, tmp.Chown(-1, group))
	}
	err = errors.Join(err, tmp.Chmod(mode), tmp.Sync())
	return errors.Join(err, tmp.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
