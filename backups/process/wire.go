package process

import (
	"errors"
	"io/fs"
	"syscall"
	"time"

	"chatiere/backups"
)

// Place says where a repository is and how it is opened.
type Place struct {
	Dir      string `json:"dir"`
	Password string `json:"password"`
}

// task is what a child does.
type task string

const (
	taskSave    task = "save"
	taskRestore task = "restore"
	taskDump    task = "dump"
	taskList    task = "list"
	taskVerify  task = "verify"
	taskForget  task = "forget"
	taskPin     task = "pin"
)

// request is the first line on a child's standard input.
type request struct {
	Task  task  `json:"task"`
	Place Place `json:"place"`
	// Idle makes processor and disk serve everybody else first.
	Idle bool `json:"idle"`

	Dir      string            `json:"dir,omitempty"` // to save, or to restore into
	Subject  string            `json:"subject,omitempty"`
	Reason   string            `json:"reason,omitempty"`
	Details  map[string]string `json:"details,omitempty"`
	Engine   string            `json:"engine,omitempty"` // of the dump to save; "": none
	Snapshot string            `json:"snapshot,omitempty"`
	Paths    []string          `json:"paths,omitempty"`
	Part     backups.Part      `json:"part"`
	Forget   []string          `json:"forget,omitempty"`
	Pinned   bool              `json:"pinned,omitempty"`
}

// verdict is the second line on a child's standard input, after the dump has ended.
type verdict struct {
	Error  string   `json:"error,omitempty"`
	Locked []string `json:"locked,omitempty"`
}

// event is a line on a child's standard output. The last one has Done.
type event struct {
	Progress *backups.Progress `json:"progress,omitempty"`
	Done     *result           `json:"done,omitempty"`
}

type result struct {
	Code      string            `json:"code,omitempty"` // of the error, see codes
	Error     string            `json:"error,omitempty"`
	Snapshots []listed          `json:"snapshots,omitempty"`
	Verified  *backups.Verified `json:"verified,omitempty"`
}

// listed is a snapshot with what only the repository knows of it.
type listed struct {
	ID     string `json:"id"`
	Pinned bool   `json:"pinned,omitempty"`
	backups.Snapshot
}

func toListed(s backups.Snapshot) listed { return listed{ID: s.ID, Pinned: s.Pinned, Snapshot: s} }

func (l listed) snapshot() backups.Snapshot {
	s := l.Snapshot
	s.ID, s.Pinned = l.ID, l.Pinned
	return s
}

// codes are the errors that keep their identity from one process to the other.
var codes = []struct {
	code string
	err  error
}{
	{"password", backups.ErrPassword},
	{"damaged", backups.ErrDamaged},
	{"not_found", backups.ErrNotFound},
	{"disk_full", syscall.ENOSPC},
	{"permission", fs.ErrPermission},
}

// coded is an error of the child.
type coded struct {
	text string
	err  error
}

func (c *coded) Error() string { return c.text }
func (c *coded) Unwrap() error { return c.err }

// failure returns the result of a task that failed.
func failure(err error) result {
	r := result{Error: err.Error()}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			r.Code = c.code
			// A full disk shows as damage where a reader finds half of a file; the cause is worth more.
			if c.code == "damaged" && errors.Is(err, syscall.ENOSPC) {
				continue
			}
			break
		}
	}
	return r
}

// err returns the child's error, nil when there is none.
func (r result) err() error {
	if r.Error == "" {
		return nil
	}
	for _, c := range codes {
		if c.code == r.Code {
			return &coded{r.Error, c.err}
		}
	}
	return errors.New(r.Error)
}

// progressEvery is how often a child reports progress at most.
const progressEvery = 200 * time.Millisecond
