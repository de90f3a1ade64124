package egress

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"chatiere/reverseproxy/hostname"

	"golang.org/x/net/http/httpguts"
)

const (
	maxHead    = 4096
	maxHeaders = 16
)

// request is a site's request: "CONNECT name:port" for a tunnel, or "HEAD /name" to
// query whether its list has the name at all, so that its resolver can answer at
// once that a name does not exist.
type request struct {
	name string // canonical; empty if unreadable
	port uint16 // 0: a query
}

func (r request) isQuery() bool { return r.port == 0 }

// readRequest reads one request and not a byte beyond it. It is stricter than HTTP:
// siteinit is the only client, and anything else is a site trying something.
func readRequest(from *bufio.Reader) (request, error) {
	var head []byte
	for {
		line, err := from.ReadSlice('\n')
		if len(head) == 0 && len(line) == 0 && errors.Is(err, io.EOF) {
			return request{}, errNoRequest
		}
		if err != nil {
			return request{}, fmt.Errorf("%w: %w", ErrRequest, err)
		}
		if head = append(head, line...); len(head) > maxHead {
			return request{}, fmt.Errorf("%w: too long", ErrRequest)
		}
		if len(line) <= 2 && bytes.HasSuffix(head, []byte("\n\r\n")) {
			return parseRequest(head)
		}
	}
}

func parseRequest(head []byte) (request, error) {
	text, ok := strings.CutSuffix(string(head), "\r\n\r\n")
	if !ok || strings.ContainsFunc(strings.ReplaceAll(text, "\r\n", ""), control) {
		return request{}, fmt.Errorf("%w: control characters", ErrRequest)
	}
	lines := strings.Split(text, "\r\n")
	words := strings.Split(lines[0], " ")
	if len(words) != 3 || words[2] != "HTTP/1.1" {
		return request{}, fmt.Errorf("%w: request line", ErrRequest)
	}
	switch words[0] {
	case "CONNECT":
		if err := checkHeaders(lines[1:], words[1]); err != nil {
			return request{}, err
		}
		return parseTarget(words[1])
	case "HEAD":
		if err := checkHeaders(lines[1:], "gateway"); err != nil {
			return request{}, err
		}
		return parseName(words[1])
	}
	return request{}, ErrMethod
}

func parseName(path string) (request, error) {
	if name, ok := hostname.Public(strings.TrimPrefix(path, "/")); ok && path[0] == '/' {
		return request{name: name}, nil
	}
	return request{}, fmt.Errorf("%w: name", ErrRequest)
}

func control(c rune) bool { return c < ' ' || c == 0x7f }

// checkHeaders rejects headers that announce a body or name another host.
func checkHeaders(lines []string, host string) error {
	if len(lines) > maxHeaders {
		return fmt.Errorf("%w: too many headers", ErrRequest)
	}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("%w: header", ErrRequest)
		}
		switch strings.ToLower(name) {
		case "host":
			if !strings.EqualFold(strings.TrimSpace(value), host) {
				return fmt.Errorf("%w: wrong host", ErrRequest)
			}
		case "content-length", "transfer-encoding":
			return fmt.Errorf("%w: body", ErrRequest)
		}
	}
	return nil
}

func parseTarget(target string) (request, error) {
	i := strings.LastIndexByte(target, ':')
	if i < 0 {
		return request{}, fmt.Errorf("%w: no port", ErrRequest)
	}
	host, digits := target[:i], target[i+1:]
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || port == 0 || digits[0] == '0' {
		return request{}, fmt.Errorf("%w: port", ErrRequest)
	}
	if name, ok := hostname.Public(host); ok {
		return request{name: name, port: uint16(port)}, nil
	}
	if isAddress(host) {
		return request{name: addressText(host), port: uint16(port)}, ErrBareAddress
	}
	return request{}, fmt.Errorf("%w: name", ErrRequest)
}

// addressText returns an address for the log, and "" for anything else.
func addressText(host string) string {
	if address, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return address.WithZone("").String()
	}
	return ""
}
