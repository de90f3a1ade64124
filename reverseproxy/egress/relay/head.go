package relay

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
)

// maxHead bounds the fields before the empty line, which are held in memory.
const maxHead = 256 << 10

// errHeaderTooLarge says that a message has more header than anybody writes.
var errHeaderTooLarge = errors.New("header too large")

// field is one header field as it came: its lines end with CRLF, and those
// after the first begin with a space.
type field struct {
	name string // lower case
	raw  string
}

func (f field) value() string {
	_, value, _ := strings.Cut(f.raw, ":")
	return strings.TrimSpace(strings.NewReplacer("\r\n", "").Replace(value))
}

type head []field

// readHead reads the fields. What is no field ends the header, as it does for
// Postfix: rest is then the line that already belongs to the body. The lines
// of from end with CRLF.
func readHead(from *bufio.Reader) (h head, rest []byte, err error) {
	size := 0
	for {
		line, err := from.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return h, nil, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, nil, err
		}
		if size += len(line); size > maxHead {
			return nil, nil, errHeaderTooLarge
		}
		switch name := fieldName(line); {
		case len(bytes.TrimRight(line, "\r\n")) == 0:
			return h, nil, nil
		case name != "":
			h = append(h, field{name, string(line)})
		case len(h) > 0 && (line[0] == ' ' || line[0] == '\t'):
			h[len(h)-1].raw += string(line)
		default:
			return h, line, nil
		}
	}
}

// fieldName returns "" for a line that begins no field. A space before the
// colon is forbidden now, was not once, and is read over by many: so is it here,
// or "From :" would be a way around every rule about From.
func fieldName(line []byte) string {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || line[0] == ' ' || line[0] == '\t' {
		return ""
	}
	name := bytes.TrimRight(line[:colon], " \t")
	for _, c := range name {
		if c <= ' ' || c >= 0x7f {
			return ""
		}
	}
	return strings.ToLower(string(name))
}

func (h head) first(name string) (field, bool) {
	for _, f := range h {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

func (h head) count(name string) int {
	n := 0
	for _, f := range h {
		if f.name == name {
			n++
		}
	}
	return n
}

// without drops every field of these names.
func (h head) without(names ...string) head {
	kept := make(head, 0, len(h))
next:
	for _, f := range h {
		for _, n := range names {
			if f.name == n {
				continue next
			}
		}
		kept = append(kept, f)
	}
	return kept
}

// add puts a field of ours at the end. No value of ours has a line end in it;
// that none ever will is made sure here.
func (h head) add(name, value string) head { return append(h, newField(name, value)) }

func newField(name, value string) field {
	value = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, value)
	return field{strings.ToLower(name), name + ": " + value + "\r\n"}
}

// write puts the fields and the empty line.
func (h head) write(to io.Writer) error {
	if err := h.writeFields(to); err != nil {
		return err
	}
	_, err := io.WriteString(to, "\r\n")
	return err
}

func (h head) writeFields(to io.Writer) error {
	for _, f := range h {
		if _, err := io.WriteString(to, folded(f)); err != nil {
			return err
		}
	}
	return nil
}
