package backups

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// cursor finds paths in a manifest. It is asked in the order of a walk and reads the manifest once, so that not all of it
// has to be in memory.
type cursor struct {
	manifest io.ReadCloser
	reader   *ManifestReader
	next     Entry
	ended    bool
}

// openCursor returns a cursor over a snapshot's manifest; one that finds nothing where there is no snapshot.
func openCursor(ctx context.Context, r Repository, s *Snapshot) (*cursor, error) {
	if s == nil || s.Manifest.ID == "" {
		return &cursor{ended: true}, nil
	}
	manifest, err := r.Open(ctx, s.Manifest.ID)
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrNotFound) {
		return &cursor{ended: true}, nil // then everything is read, and stored again
	}
	if err != nil {
		return nil, err
	}
	c := &cursor{manifest: manifest, reader: NewManifestReader(manifest)}
	c.advance()
	return c, nil
}

// advance goes to the next entry. A manifest that cannot be read to its end has no more.
func (c *cursor) advance() {
	e, err := c.reader.Next()
	if err != nil {
		c.ended = true
		return
	}
	c.next = e
}

// find returns the entry of a path that is not before those it was asked for already.
func (c *cursor) find(path Raw) (Entry, bool) {
	for !c.ended && comparePaths(c.next.Path, path) < 0 {
		c.advance()
	}
	return c.next, !c.ended && c.next.Path == path
}

func (c *cursor) close() {
	if c.manifest != nil {
		_ = c.manifest.Close() // only read
	}
}

// tail keeps the end of a dump.
type tail struct{ end []byte }

// tailSize is more than the longest last line of a complete dump.
const tailSize = 256

func (t *tail) Write(p []byte) (int, error) {
	t.end = append(t.end, p[max(0, len(p)-tailSize):]...)
	t.end = t.end[max(0, len(t.end)-tailSize):]
	return len(p), nil
}

// trailers are the last lines of complete dumps, by engine. They are written after all data.
var trailers = map[string]string{"mariadb": "-- Dump completed", "postgresql": "-- PostgreSQL database dump complete"}

// complete reports whether the dump ends as the engine's dump program ends it.
func (t *tail) complete(engine string) bool {
	trailer, known := trailers[engine]
	lines := bytes.Split(bytes.TrimRight(t.end, "\n- "), []byte("\n"))
	return known && bytes.HasPrefix(lines[len(lines)-1], []byte(trailer))
}
