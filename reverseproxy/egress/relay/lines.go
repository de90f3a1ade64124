package relay

import (
	"bufio"
	"errors"
	"io"
	"unicode/utf8"
)

// longest is how many bytes a line of mail may have without its end (RFC 5321).
const longest = 998

// lineReader makes every line end with CRLF and none longer than SMTP allows: a
// bare CR or LF may end a line for one server and not for the next, which is how
// commands are smuggled into messages. Longer lines are broken, and go on after
// a space, which is how Postfix does it. NUL, which no line may hold, is dropped.
type lineReader struct {
	from *bufio.Reader
	cr   bool // the last byte was a CR, whose line is ended already
	at   int  // bytes in this line
	out  []byte
	err  error
}

func newLineReader(from io.Reader) *lineReader {
	return &lineReader{from: bufio.NewReaderSize(from, 16<<10)}
}

// Read gives whole lines or parts of them.
func (r *lineReader) Read(p []byte) (int, error) {
	for len(r.out) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.fill()
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

func (r *lineReader) fill() {
	r.out = r.out[:0:cap(r.out)]
	for len(r.out) < 8<<10 {
		var c byte
		if c, r.err = r.from.ReadByte(); r.err != nil {
			break
		}
		r.take(c)
		if r.from.Buffered() == 0 {
			break // do not wait for more while there is something to give
		}
	}
	if errors.Is(r.err, io.EOF) && r.at > 0 {
		r.end()
	}
}

func (r *lineReader) take(c byte) {
	after := r.cr
	r.cr = c == '\r'
	switch {
	case c == '\n' && after:
	case c == '\n', c == '\r':
		r.end()
	case c == 0:
	default:
		if r.at >= longest-utf8.UTFMax && (utf8.RuneStart(c) || r.at >= longest) {
			r.end()
			r.out = append(r.out, ' ')
			r.at = 1
		}
		r.out = append(r.out, c)
		r.at++
	}
}

func (r *lineReader) end() {
	r.out = append(r.out, '\r', '\n')
	r.at = 0
}
