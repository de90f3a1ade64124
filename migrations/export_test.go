package migrations

import (
	"slices"
	"time"
)

// Files are the SQL files.
var Files = files

// NewProvider returns what goes down and tells what is applied.
var NewProvider = newProvider

// SetLockWait shortens the wait for the lock and returns what brings it back.
func SetLockWait(d time.Duration) (restore func()) {
	before := lockWait
	lockWait = d
	return func() { lockWait = before }
}

// Sum returns the checksum of a version's file.
func Sum(version int64) string {
	sources, err := read(files)
	if err != nil {
		return err.Error()
	}
	for _, s := range sources {
		if s.version == version {
			return s.sum
		}
	}
	return ""
}

// Tables returns the tables that versions make.
func Tables(versions []int64) (out []string) {
	sources, err := read(files)
	if err != nil {
		return nil
	}
	for _, s := range sources {
		if s.creates != "" && slices.Contains(versions, s.version) {
			out = append(out, s.creates)
		}
	}
	return out
}
