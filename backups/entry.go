package backups

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"
)

// Type is the type of a directory entry.
type Type string

// The types that are saved. Sockets, FIFOs and devices hold no data.
const (
	File      Type = "f"
	Directory Type = "d"
	Symlink   Type = "l"
)

// Entry is one line of a manifest: everything that makes a file what it is. Lines are in the order of the walk: a
// directory before its entries, siblings sorted by name.
type Entry struct {
	Path    Raw            `json:"path"` // relative, "." for the root itself
	Type    Type           `json:"type"`
	Mode    uint32         `json:"mode"` // permissions with setuid, setgid and sticky, as in st_mode
	UID     uint32         `json:"uid"`
	GID     uint32         `json:"gid"`
	ModTime int64          `json:"mtime"` // nanoseconds since 1970
	Size    int64          `json:"size,omitempty"`
	Target  Raw            `json:"target,omitzero"` // of a symbolic link
	HardTo  Raw            `json:"hard_link_to,omitzero"`
	Xattrs  map[string]Raw `json:"xattrs,omitempty"`
	SHA256  string         `json:"sha256,omitempty"` // hexadecimal
	Object  string         `json:"object,omitempty"`
	// ReadAt is when the bytes were read last; the hash is carried over as long as the file is the same.
	ReadAt time.Time `json:"read_at,omitzero"`
	Inode  uint64    `json:"inode,omitempty"`
	Change int64     `json:"ctime,omitempty"` // nanoseconds since 1970
}

// Raw is bytes as the file system has them. In JSON it is a string; bytes that are no UTF-8 are an object {"base64": …}.
type Raw string

type rawBytes struct {
	Base64 []byte `json:"base64"`
}

// MarshalJSON writes a string, or an object for what no string of JSON can hold.
func (r Raw) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(r)) {
		return json.Marshal(string(r))
	}
	return json.Marshal(rawBytes{[]byte(r)})
}

// UnmarshalJSON reads both forms.
func (r *Raw) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		var raw rawBytes
		if err := json.Unmarshal(b, &raw); err != nil {
			return err
		}
		*r = Raw(raw.Base64)
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*r = Raw(s)
	return nil
}

// ManifestReader reads the entries of a manifest in their order.
type ManifestReader struct{ decoder *json.Decoder }

// NewManifestReader returns a reader of the lines in r.
func NewManifestReader(r io.Reader) *ManifestReader {
	return &ManifestReader{json.NewDecoder(bufio.NewReaderSize(r, 64<<10))}
}

// Next returns the next entry, io.EOF after the last.
func (m *ManifestReader) Next() (Entry, error) {
	var e Entry
	if err := m.decoder.Decode(&e); errors.Is(err, io.EOF) {
		return e, io.EOF
	} else if err != nil {
		return e, fmt.Errorf("reading the manifest: %w: %w", ErrDamaged, err)
	}
	return e, nil
}
