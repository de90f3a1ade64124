package relay

import (
	"bufio"
	"errors"
	"io"
	"unicode/utf8"
)

// maxLineBytes is how many bytes a line of mail may have without its end (RFC 5321).
const maxLineBytes = 998

// lineReader makes every line end with CRLF: a bare CR or LF may end a line for
// one server and not for the next, which is how commands are smuggled into
// messages. NUL, which no line may hold, is dropped. If it has a limit, longer
// lines are broken and go on after a space, which is how Postfix does it.
type lineReader struct {
	from *bufio.Reader
	max  int  // bytes in a line; 0: no limit
	cr   bool // the last byte was a CR, whose line is ended already
	at   int  // bytes in this line
	out  []byte
	err  error
}

func newLineReader(from io.Reader, maxBytes int) *lineReader {
	return &lineReader{from: bufio.NewReaderSize(from, 16<<10), max: maxBytes}
}

// lineWriter breaks what [recoder] could not encode.
type lineWriter struct {
	to io.Writer
	r  lineReader
}

// Write breaks lines that are too long. p need not end with a line.
func (w *lineWriter) Write(p []byte) (int, error) {
	w.r.max, w.r.out = maxLineBytes, w.r.out[:0:cap(w.r.out)]
	for _, c := range p {
		w.r.take(c)
	}
	if _, err := w.to.Write(w.r.out); err != nil {
		return 0, err
	}
	return len(p), nil
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
		if r.max > 0 && r.at >= r.max-utf8.UTFMax && (utf8.RuneStart(c) || r.at >= r.max) {
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
