// Package deathlog keeps what is known of the deaths of the sites' database server in files: the notes that the forwarder
// in front of it leaves, and the list of those that the guard has taken over. Their formats are in docs/formats.md.
//
// It does not judge them; dbguard does. Start reading at Log.
package deathlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"chatiere/tenants/dbguard"
)

// Log implements dbguard.Deaths.
type Log struct {
	Root string // in which the notes' directory lies; it belongs to the server's user, so nothing is followed out of it
	Dir  string // below Root
	File string // the list
	Log  *slog.Logger
}

var _ dbguard.Deaths = (*Log)(nil)

const (
	format = 1
	// maxSize bounds a file that is read. A site takes about 80 bytes in a note.
	maxSize = 1 << 20
)

// ErrDamaged says that a file is not as it should be.
var ErrDamaged = errors.New("damaged file")

var siteID = regexp.MustCompile(`^s[0-9a-z]{9}$`)

type note struct {
	Format int       `json:"format"`
	At     time.Time `json:"at"`
	Sites  []struct {
		Site    string `json:"site"`
		Waiting bool   `json:"waiting"`
		SentMS  int64  `json:"sent_ms"`
		Size    int64  `json:"size"`
	} `json:"sites"`
}

type list struct {
	Format int             `json:"format"`
	Deaths []dbguard.Death `json:"deaths"`
}

// Notes returns what the forwarder noted. A note that cannot be read is removed and reported in the log.
func (l *Log) Notes() ([]dbguard.Note, error) {
	dir, err := l.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	entries, err := fs.ReadDir(dir.FS(), ".")
	if err != nil {
		return nil, err
	}
	var out []dbguard.Note
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue // being written
		}
		n, err := readNote(dir, e.Name())
		if errors.Is(err, ErrDamaged) {
			l.Log.Warn("a note of the database server's death cannot be read", "file", e.Name(), "error", err)
			err = dir.Remove(e.Name())
		} else if err == nil {
			out = append(out, n)
		}
		if err != nil {
			return nil, fmt.Errorf("reading note %s: %w", e.Name(), err)
		}
	}
	return out, nil
}

func (l *Log) open() (*os.Root, error) {
	root, err := os.OpenRoot(l.Root)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	return root.OpenRoot(l.Dir)
}

func readNote(dir *os.Root, name string) (dbguard.Note, error) {
	info, err := dir.Lstat(name)
	if err != nil {
		return dbguard.Note{}, err
	}
	if !info.Mode().IsRegular() {
		return dbguard.Note{}, fmt.Errorf("not a file: %w", ErrDamaged)
	}
	file, err := dir.Open(name)
	if err != nil {
		return dbguard.Note{}, err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxSize))
	if err != nil {
		return dbguard.Note{}, err
	}
	var n note
	if err := json.Unmarshal(text, &n); err != nil {
		return dbguard.Note{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if n.Format != format || n.At.IsZero() {
		return dbguard.Note{}, fmt.Errorf("format %d of %s: %w", n.Format, n.At, ErrDamaged)
	}
	out := dbguard.Note{ID: strings.TrimSuffix(name, ".json"), At: n.At}
	for _, s := range n.Sites {
		if !siteID.MatchString(s.Site) || s.SentMS < 0 {
			return dbguard.Note{}, fmt.Errorf("site %q: %w", s.Site, ErrDamaged)
		}
		out.Sites = append(out.Sites, dbguard.NotedSite{
			Site: s.Site, Waiting: s.Waiting, Sent: time.Duration(s.SentMS) * time.Millisecond, Size: s.Size,
		})
	}
	return out, nil
}

// Remove removes a note; an absent one is success.
func (l *Log) Remove(id string) error {
	dir, err := l.open()
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	if err := dir.Remove(id + ".json"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Load reads the list. A damaged one is reported and counts as empty: what it knew concerns a day.
func (l *Log) Load() ([]dbguard.Death, error) {
	text, err := os.ReadFile(l.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var saved list
	if err := json.Unmarshal(text, &saved); err != nil || saved.Format != format {
		l.Log.Warn("the list of the database server's deaths cannot be read", "format", saved.Format, "error", err)
		return nil, nil
	}
	return saved.Deaths, nil
}

// Save replaces the list.
func (l *Log) Save(deaths []dbguard.Death) error {
	text, err := json.MarshalIndent(list{format, deaths}, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(l.File, append(text, '\n'), 0o600, renameio.WithTempDir(filepath.Dir(l.File)))
}
