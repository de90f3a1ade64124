package htaccess

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	fileName = ".htaccess"
	// maxLevels is deeper than anything lies: an address of thousands of them must not cost a visit to each.
	maxLevels = 64
)

// Request is what the files are asked about.
type Request struct {
	Root   string // the topmost directory whose .htaccess counts
	File   string // absolute, below Root
	URL    string // its path in the address
	Method string
	Client netip.Addr
}

// Note is a file that cannot be followed in full.
type Note struct {
	File      string // relative to the root
	Directive string // the first that is not followed; "" when the file cannot be read
}

// Decision is the answer to a request.
type Decision struct {
	Denied bool
	Read   []string // the files that were consulted, relative to the root
	Notes  []Note   // at most one for each of them
}

// Check decides about one request.
func Check(r Request) Decision {
	var d Decision
	inner, below := strings.CutPrefix(r.File, strings.TrimSuffix(r.Root, "/")+"/")
	if !below || inner == "" || strings.Count(inner, "/") > maxLevels || filepath.Clean(r.File) != strings.TrimSuffix(r.File, "/") {
		d.Denied = true
		return d
	}
	var levels []level
	for dir := ""; ; {
		path := filepath.Join(dir, fileName)
		if text, exists, err := read(filepath.Join(r.Root, path)); exists {
			l := evaluate(r, strings.TrimPrefix(inner, dir), text, err)
			levels = append(levels, l)
			d.Read = append(d.Read, path)
			if l.unclear {
				d.Notes = append(d.Notes, Note{path, l.directive})
			}
		}
		next := strings.IndexByte(inner[len(dir):], '/')
		if next < 0 {
			break
		}
		dir = inner[:len(dir)+next+1]
	}
	d.Denied = denied(levels)
	return d
}

// Exists reports whether a file that was noted is still there.
func Exists(root, file string) bool {
	_, err := os.Lstat(filepath.Join(root, file))
	return err == nil
}

// read returns a file's text. One that is there and cannot be read, is too large or is no file is an error.
func read(path string) (text string, exists bool, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may be a pipe, which nobody writes to
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENAMETOOLONG):
		return "", false, nil
	case err != nil:
		return "", true, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > maxSize {
		return "", true, errSyntax
	}
	content, err := io.ReadAll(io.LimitReader(f, maxSize))
	return string(content), true, err
}

// denied joins the levels, outermost first. As in Apache, what stands nearer replaces what stands further out, and what
// stands in <Files> replaces what does not, wherever it stands. Require and its older spelling both have to allow.
func denied(levels []level) bool {
	var sections []section
	var rules rewrite
	for _, l := range levels {
		if l.broken || l.redirected {
			return true
		}
		if l.rewrite.given {
			rules = l.rewrite
		}
		sections = append(sections, l.plain)
	}
	for _, l := range levels {
		sections = append(sections, l.files...)
	}
	return refuses(sections) || rules.forbids
}

// refuses reports what the last of the sections that says something says.
func refuses(sections []section) bool {
	byRequire, byHosts := false, false
	for _, s := range sections {
		if s.closed || len(s.requires) > 0 {
			byRequire = s.verdict() != granted
		}
		if s.hosts.given {
			byHosts = !s.hosts.allows()
		}
	}
	return byRequire || byHosts
}
