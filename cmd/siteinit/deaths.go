package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"chatiere/cmd/siteinit/internal/forward"
)

// maxDeaths is how many notes may wait to be read.
const maxDeaths = 100

// death is the note that a server ended by itself: which sites had sent it something.
type death struct {
	Format int                    `json:"format"`
	At     time.Time              `json:"at"`
	Code   int                    `json:"code"` // exit code; above 128: a signal's number and 128
	Sites  []forward.SiteActivity `json:"sites"`
}

// errManyDeaths says that nobody reads the notes.
var errManyDeaths = errors.New("too many notes wait to be read")

// writeDeath adds a note to dir. It has its name only once it is complete.
func writeDeath(dir string, d death) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("making the directory of notes: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("counting notes: %w", err)
	}
	if len(entries) >= maxDeaths {
		return errManyDeaths
	}
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, fmt.Sprintf("%d-%s.json", d.At.Unix(), rand.Text()[:8]))
	if err := writeSynced(path+".new", text); err != nil {
		_ = os.Remove(path + ".new")
		return fmt.Errorf("writing a note: %w", err)
	}
	return os.Rename(path+".new", path)
}

func writeSynced(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Sync(), file.Close())
}
