package relay

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/quotedprintable"
	"strings"
	"unicode/utf8"
)

const (
	// maxLine is the longest line that needs no change: [lineReader] breaks lines a little before SMTP's limit.
	maxLine = maxLineBytes - utf8.UTFMax
	// maxText bounds the text of one part that is held in memory to be encoded.
	maxText = 1 << 20
	// maxDepth bounds how deep multiparts lie in each other.
	maxDepth = 16
)

// recoder writes a message so that no line is too long. The text parts that have such lines are encoded as
// quoted-printable, which keeps every byte of them; [lineReader] would break words and links. What is signed or encrypted
// is not touched, and what is too large to be held is left to lineReader.
type recoder struct {
	from       *bufio.Reader // lines with CRLF, of any length
	to         io.Writer
	boundaries [][]byte // of the multiparts around this place, "--" included
}

// message writes the header, then the body, whose first line rest was read already.
func (r *recoder) message(h head, rest []byte) error {
	if len(rest) > 0 {
		r.from = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(rest), r.from), 16<<10)
	}
	if _, signed := h.first("dkim-signature"); signed {
		if err := h.write(r.to); err != nil {
			return err
		}
		_, err := io.Copy(r.to, r.from)
		return err
	}
	_, err := r.entity(h, true)
	return err
}

// entity writes a message or a part of one. It returns the boundary line that ended it, nil at the end of everything.
func (r *recoder) entity(h head, top bool) (end []byte, err error) {
	kind, parameters := contentType(h)
	boundary := parameters["boundary"]
	switch {
	case kind == "multipart/signed", kind == "multipart/encrypted":
	case strings.HasPrefix(kind, "multipart/") && boundary != "" && len(r.boundaries) < maxDepth:
		return r.multipart(h, boundary)
	case (strings.HasPrefix(kind, "text/") || kind == "") && unencoded(h):
		return r.text(h, top)
	}
	if err := h.write(r.to); err != nil {
		return nil, err
	}
	return r.copyToBoundary()
}

func (r *recoder) multipart(h head, boundary string) (end []byte, err error) {
	if err := h.write(r.to); err != nil {
		return nil, err
	}
	own := append([]byte("--"), boundary...)
	r.boundaries = append(r.boundaries, own)
	end, err = r.copyToBoundary() // what stands before the first part
	for err == nil && isDelimiter(end, own) {
		if _, err = r.to.Write(end); err != nil {
			break
		}
		if bytes.HasPrefix(end[len(own):], []byte("--")) {
			r.boundaries = r.boundaries[:len(r.boundaries)-1]
			return r.copyToBoundary()
		}
		end, err = r.part()
	}
	r.boundaries = r.boundaries[:len(r.boundaries)-1]
	return end, err
}

func (r *recoder) part() (end []byte, err error) {
	h, rest, err := readHead(r.from)
	if err != nil {
		return nil, err
	}
	if len(rest) == 0 {
		return r.entity(h, false)
	}
	// No empty line after the header: nobody knows what it is, so it stays as it is.
	if r.ends(rest) {
		return rest, h.writeFields(r.to)
	}
	if err := h.writeFields(r.to); err != nil {
		return nil, err
	}
	if _, err := r.to.Write(rest); err != nil {
		return nil, err
	}
	return r.copyToBoundary()
}

// copyToBoundary copies lines up to the next boundary.
func (r *recoder) copyToBoundary() (end []byte, err error) {
	for {
		line, err := r.from.ReadBytes('\n')
		if r.ends(line) {
			return line, nil
		}
		if _, err := r.to.Write(line); err != nil {
			return nil, err
		}
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// text encodes a text whose lines are too long.
func (r *recoder) text(h head, top bool) (end []byte, err error) {
	var body []byte
	long, whole := false, false
	for len(body) <= maxText {
		line, err := r.from.ReadBytes('\n')
		if whole = r.ends(line) || errors.Is(err, io.EOF); whole {
			if r.ends(line) {
				end = line
			} else {
				body = append(body, line...)
			}
			break
		}
		if err != nil {
			return nil, err
		}
		body = append(body, line...)
		long = long || len(line)-len("\r\n") > maxLine
	}
	if !long || !whole {
		if err := errors.Join(h.write(r.to), writeAll(r.to, body)); err != nil || whole {
			return end, err
		}
		return r.copyToBoundary()
	}
	return end, errors.Join(encodedHead(h, body, top).write(r.to), encode(r.to, body))
}

// encodedHead says how the body is encoded.
func encodedHead(h head, body []byte, top bool) head {
	_, hasMIME := h.first("mime-version")
	_, hasType := h.first("content-type")
	h = h.without("content-transfer-encoding")
	if top && !hasMIME {
		h = h.add("MIME-Version", "1.0")
	}
	if !hasType && utf8.Valid(body) {
		h = h.add("Content-Type", "text/plain; charset=utf-8")
	}
	return h.add("Content-Transfer-Encoding", "quoted-printable")
}

func encode(to io.Writer, body []byte) error {
	w := quotedprintable.NewWriter(to)
	return errors.Join(writeAll(w, body), w.Close())
}

func writeAll(to io.Writer, p []byte) error {
	_, err := to.Write(p)
	return err
}

func (r *recoder) ends(line []byte) bool {
	for _, b := range r.boundaries {
		if isDelimiter(line, b) {
			return true
		}
	}
	return false
}

// isDelimiter reports whether a line is the boundary, or the last of its kind; white space may follow.
func isDelimiter(line, boundary []byte) bool {
	rest, found := bytes.CutPrefix(line, boundary)
	rest = bytes.TrimRight(rest, " \t\r\n")
	return found && (len(rest) == 0 || string(rest) == "--")
}

// contentType returns the type in lower case. One that cannot be read is left alone: "?" is no kind that is changed.
func contentType(h head) (kind string, parameters map[string]string) {
	f, ok := h.first("content-type")
	if !ok {
		return "", nil
	}
	kind, parameters, err := mime.ParseMediaType(f.value())
	if err != nil || h.count("content-type") > 1 {
		return "?", nil
	}
	return kind, parameters
}

// unencoded reports whether a part's bytes stand there as they are.
func unencoded(h head) bool {
	f, ok := h.first("content-transfer-encoding")
	return !ok || h.count("content-transfer-encoding") == 1 &&
		(strings.EqualFold(f.value(), "7bit") || strings.EqualFold(f.value(), "8bit") || strings.EqualFold(f.value(), "binary"))
}
