package sitedb

import (
	"bufio"
	"bytes"
	"io"
	"regexp"
)

// definer is the account that a view or trigger runs as, where mariadb-dump writes it: at the beginning of a line of its
// own. Data never begins a line so, since line breaks in it are escaped.
var definer = regexp.MustCompile("^(/\\*!500(?:13 |03 CREATE\\*/ /\\*!50017 )DEFINER=)`(?:[^`]|``)*`@`(?:[^`]|``)*`")

// definerHead is more than the longest beginning that definer matches: two quoted names of 128 and 255 signs.
const definerHead = 2048

// definerReader replaces the accounts that own views and triggers by the one that imports them. The user of the database
// that was dumped may not exist, and nobody but an administrator may make something run as somebody else.
type definerReader struct {
	from  *bufio.Reader
	rest  []byte // of the current line, ready to be read
	fresh bool   // the next byte begins a line
}

func newDefinerReader(r io.Reader) io.Reader {
	return &definerReader{from: bufio.NewReaderSize(r, 64<<10), fresh: true}
}

func (d *definerReader) Read(p []byte) (int, error) {
	for len(d.rest) == 0 {
		if err := d.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

// fill reads to the end of a line, or as much of it as the buffer holds.
func (d *definerReader) fill() error {
	if !d.fresh {
		return d.line()
	}
	head, err := d.from.Peek(definerHead)
	if len(head) == 0 {
		return err
	}
	found := definer.FindSubmatchIndex(head)
	if found == nil {
		return d.line()
	}
	d.rest = append(bytes.Clone(head[:found[3]]), "CURRENT_USER"...)
	_, err = d.from.Discard(found[1])
	d.fresh = false
	return err
}

func (d *definerReader) line() error {
	part, err := d.from.ReadSlice('\n')
	if len(part) == 0 {
		return err
	}
	d.rest, d.fresh = part, part[len(part)-1] == '\n'
	return nil
}
