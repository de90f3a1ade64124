package records

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"chatiere/reverseproxy/atomicfile"
	"chatiere/tenants"
)

// line is how many bytes each of the file's two lines takes. The lines are written by turns, in place: one is always whole,
// whatever instant the writer dies at, and a disk without any room left takes them as well, since they have theirs.
const line = 512

// File is the data root's mark.
type File struct {
	Path string
}

type entry struct {
	Installation string    `json:"installation"`
	Count        int64     `json:"count"`
	Host         string    `json:"host"`
	At           time.Time `json:"at"`
	Sum          string    `json:"sum,omitempty"` // of the entry without it
}

// Read returns the mark; the zero mark when there is none yet.
func (f File) Read() (tenants.Mark, error) {
	data, err := os.ReadFile(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return tenants.Mark{}, nil
	}
	if err != nil {
		return tenants.Mark{}, fmt.Errorf("reading the data root's mark: %w", err)
	}
	best, found := tenants.Mark{}, false
	for _, text := range bytes.Split(data, []byte("\n")) {
		if m, ok := parse(text); ok && (!found || m.Count > best.Count) {
			best, found = m, true
		}
	}
	if !found {
		return tenants.Mark{}, fmt.Errorf("reading the data root's mark: %s holds no whole line", f.Path)
	}
	return best, nil
}

func parse(text []byte) (tenants.Mark, bool) {
	var e entry
	if json.Unmarshal(bytes.TrimSpace(text), &e) != nil || e.Installation == "" || e.Sum != e.sum() {
		return tenants.Mark{}, false
	}
	return tenants.Mark{Installation: e.Installation, Count: e.Count, Host: e.Host, At: e.At}, true
}

func (e entry) sum() string {
	e.Sum = ""
	data, _ := json.Marshal(e) // strings, a number and a time: cannot fail
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// Write makes the mark outlive a power cut. Marks of one installation are written in their order.
func (f File) Write(m tenants.Mark) error {
	text, err := encode(m)
	if err != nil {
		return err
	}
	if _, err := os.Stat(f.Path); errors.Is(err, fs.ErrNotExist) {
		return f.create(text)
	}
	out, err := os.OpenFile(f.Path, os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("writing the data root's mark: %w", err)
	}
	_, err = out.WriteAt(text, m.Count%2*line)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return fmt.Errorf("writing the data root's mark: %w", err)
	}
	return nil
}

// Replace forgets what the file says and writes the mark.
func (f File) Replace(m tenants.Mark) error {
	text, err := encode(m)
	if err != nil {
		return err
	}
	return f.create(text)
}

// create puts a whole file there at once, with room for both lines.
func (f File) create(text []byte) error {
	if err := atomicfile.Write(f.Path, append(bytes.Clone(text), text...), 0o600); err != nil {
		return fmt.Errorf("making the data root's mark: %w", err)
	}
	return nil
}

func encode(m tenants.Mark) ([]byte, error) {
	e := entry{Installation: m.Installation, Count: m.Count, Host: m.Host, At: m.At.UTC()}
	e.Sum = e.sum()
	data, err := json.Marshal(e)
	if err != nil || len(data) >= line {
		return nil, errors.Join(fmt.Errorf("encoding the data root's mark: %d bytes", len(data)), err)
	}
	text := bytes.Repeat([]byte(" "), line)
	copy(text, data)
	text[line-1] = '\n'
	return text, nil
}

// newInstallation returns a name that no other data root has.
func newInstallation() string { return rand.Text() }

// remove takes a file away that may not be there.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// readAll reads a small file; nil when it is not there.
func readAll(path string) ([]byte, error) {
	in, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(in, 1<<12))
	return data, errors.Join(err, in.Close())
}
