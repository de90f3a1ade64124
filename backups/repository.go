package backups

import (
	"context"
	"errors"
	"io"
	"time"
)

var (
	// ErrNotFound means that the repository has no such snapshot, object or path.
	ErrNotFound = errors.New("not in the repository")
	// ErrDamaged means that stored bytes are missing or are not those that were saved.
	ErrDamaged = errors.New("the repository is damaged")
	// ErrPassword means that the repository was made with another key.
	ErrPassword = errors.New("wrong repository key")
)

// Repository stores the snapshots of one association. Several subjects (sites) share it, and equal data is stored once.
// One process writes at a time; the caller sees to that.
type Repository interface {
	// Snapshots returns all complete snapshots, oldest first.
	Snapshots(ctx context.Context) ([]Snapshot, error)
	// Write calls fn and makes durable what it wrote. When fn fails nothing is listed; bytes already stored stay until
	// the next maintenance.
	Write(ctx context.Context, fn func(context.Context, Writer) error) error
	// Open reads an object. Errors of a damaged repository wrap [ErrDamaged], an unknown id [ErrNotFound].
	Open(ctx context.Context, object string) (io.ReadCloser, error)
	// Maintain compacts the repository and removes data that no snapshot refers to. It is safe beside a writer: what is
	// younger than a day stays.
	Maintain(ctx context.Context) error
	Close(ctx context.Context) error
}

// Writer adds to a repository.
type Writer interface {
	// Object stores what r yields until io.EOF, and returns its id and its number of bytes. An error of r is returned,
	// and nothing refers to what was stored.
	Object(ctx context.Context, r io.Reader) (id string, size int64, err error)
	// Directory stores a directory of objects.
	Directory(ctx context.Context, entries []Node) (Node, error)
	// Save lists a snapshot whose root is the directory node, and returns its id.
	Save(ctx context.Context, s Snapshot, root Node) (id string, err error)
	// Delete takes a snapshot off the list.
	Delete(ctx context.Context, id string) error
	// Pin sets whether retention must keep a snapshot, and returns the snapshot's new id.
	Pin(ctx context.Context, id string, pinned bool) (newID string, err error)
}

// Node is one entry of a directory as the repository's own tools see it.
type Node struct {
	Name     string
	Type     Type
	Mode     uint32 // permissions with setuid, setgid and sticky, as in st_mode
	UID, GID uint32
	ModTime  time.Time
	Size     int64 // bytes of a file; of a directory the total below it
	Files    int64 // of a directory: files and links below it
	Object   string

	summary any // the repository's own
}

// WithSummary returns the node with what the repository wants to find in it again, see [Node.Summary].
func (n Node) WithSummary(summary any) Node {
	n.summary = summary
	return n
}

// Summary returns what [Node.WithSummary] was given.
func (n Node) Summary() any { return n.summary }

// Snapshot describes one state of a subject. It is stored in the snapshot itself, as JSON: fields are only ever added.
type Snapshot struct {
	ID      string    `json:"-"` // in the repository
	Pinned  bool      `json:"-"`
	Subject string    `json:"subject"` // whose state it is, such as "site:s7k2m9qx4p"; never a name of a machine
	Reason  string    `json:"reason"`  // "daily", "before-update", …
	TakenAt time.Time `json:"taken_at"`
	EndedAt time.Time `json:"ended_at"`
	// Details are the caller's, such as the version of the application; the package does not read them.
	Details map[string]string `json:"details,omitempty"`

	Files    int64    `json:"files"` // entries of the manifest
	Bytes    int64    `json:"bytes"` // of all files
	ReadSize int64    `json:"read"`  // bytes that had to be read, the others were known
	Database *Dump    `json:"database,omitempty"`
	Manifest Object   `json:"manifest"`
	Missing  []Missed `json:"missing,omitempty"` // at most MaxMissed
	// MissingCount counts what could not be saved, also beyond MaxMissed.
	MissingCount int64 `json:"missing_count,omitempty"`
}

// Object is a stored object with its hash.
type Object struct {
	ID     string `json:"id"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hexadecimal
}

// Dump is a stored database dump.
type Dump struct {
	Object
	Engine string   `json:"engine"`           // "mariadb" or "postgresql"
	Locked []string `json:"locked,omitempty"` // tables that were locked, since no transaction covers them
}

// Missed is an entry that is not in the snapshot, or not as it was at one moment, and why.
type Missed struct {
	Path string `json:"path"`
	Why  string `json:"why"` // a code: "unreadable", "special", "sparse", "changing"; the last is in the snapshot
}

// MaxMissed bounds the missed entries that a snapshot names.
const MaxMissed = 200
