package sendmail

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"strings"
)

// maxHead bounds what is held in memory; the rest of a message passes through.
const maxHead = 256 << 10

var errHead = errors.New("its header is too large")

// head is the header of a message: its lines, each field with the lines that
// belong to it.
type head struct {
	fields []string
	rest   []byte // a line that was read and belongs to the body
}

func readHead(from *bufio.Reader) (head, error) {
	var h head
	size := 0
	for {
		line, err := from.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return h, err
		}
		if size += len(line); size > maxHead {
			return h, errHead
		}
		text := bytes.TrimRight(line, "\r\n")
		switch {
		case len(text) == 0:
			return h, nil
		case (text[0] == ' ' || text[0] == '\t') && len(h.fields) > 0:
			h.fields[len(h.fields)-1] += "\r\n" + string(text)
		case isField(text):
			h.fields = append(h.fields, string(text))
		default:
			h.rest = line
			return h, nil
		}
	}
}

func isField(line []byte) bool {
	colon := bytes.IndexByte(line, ':')
	return colon > 0 && !bytes.ContainsAny(bytes.TrimRight(line[:colon], " \t"), " \t")
}

func named(field string, names ...string) bool {
	name, _, _ := strings.Cut(field, ":")
	for _, n := range names {
		if strings.EqualFold(strings.TrimRight(name, " \t"), n) {
			return true
		}
	}
	return false
}

// recipients are those of To, Cc and Bcc.
func (h head) recipients() []string {
	var all []string
	for _, f := range h.fields {
		if named(f, "To", "Cc", "Bcc") {
			_, value, _ := strings.Cut(f, ":")
			all = append(all, listed(strings.ReplaceAll(value, "\r\n", ""))...)
		}
	}
	return all
}

// listed reads a list of addresses. One that cannot be read is passed on as it
// is: the mail port says what is wrong with it.
func listed(text string) []string {
	var out []string
	list, err := mail.ParseAddressList(text)
	if err == nil {
		for _, a := range list {
			out = append(out, a.Address)
		}
		return out
	}
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if a, err := mail.ParseAddress(part); err == nil {
			part = a.Address
		} else if i, j := strings.LastIndexByte(part, '<'), strings.LastIndexByte(part, '>'); i >= 0 && j > i {
			part = part[i+1 : j]
		}
		if part != "" {
			out = append(out, part)
		}
	}
	return out
}

// without drops what recipients must not see, and adds the sender's name where
// the command line has the only one.
func (h head) without(c call) []byte {
	var out bytes.Buffer
	from := false
	for _, f := range h.fields {
		from = from || named(f, "From")
		if !named(f, "Bcc", "Resent-Bcc") {
			out.WriteString(f + "\r\n")
		}
	}
	if !from && c.name != "" && strings.Contains(c.sender, "@") {
		fmt.Fprintf(&out, "From: %s\r\n", (&mail.Address{Name: c.name, Address: c.sender}).String())
	}
	out.WriteString("\r\n")
	out.Write(h.rest)
	return out.Bytes()
}

// qualified gives an address a host. An empty one becomes the site's.
func qualified(address, host string) string {
	address = strings.Trim(strings.TrimSpace(address), "<>")
	switch {
	case address == "":
		return "site@" + host
	case strings.Contains(address, "@"):
		return address
	}
	return address + "@" + host
}
