// Package scgi reads one request of the protocol by which nginx asks a program, and writes its answer. SCGI gives values
// their length, so that a path may hold anything; a body is not read. Start at [Read].
package scgi

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const maxHead = 128 << 10

// ErrProtocol is a request that is not SCGI.
var ErrProtocol = errors.New("not an SCGI request")

// Read returns the parameters of a request.
func Read(from io.Reader) (map[string]string, error) {
	r := bufio.NewReader(from)
	digits, err := r.ReadString(':')
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	length, err := strconv.Atoi(strings.TrimSuffix(digits, ":"))
	if err != nil || length < 1 || length > maxHead {
		return nil, fmt.Errorf("%w: a head of %.20q bytes", ErrProtocol, digits)
	}
	head := make([]byte, length+1)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	if head[length] != ',' || head[length-1] != 0 {
		return nil, fmt.Errorf("%w: no end", ErrProtocol)
	}
	words := strings.Split(string(head[:length-1]), "\x00")
	if len(words)%2 != 0 {
		return nil, fmt.Errorf("%w: a name without value", ErrProtocol)
	}
	params := make(map[string]string, len(words)/2)
	for i := 0; i < len(words); i += 2 {
		params[words[i]] = words[i+1]
	}
	return params, nil
}

// Answer writes a whole answer.
func Answer(to io.Writer, status int, kind string, body []byte) error {
	head := fmt.Sprintf("Status: %d\r\n", status)
	if body != nil {
		head += fmt.Sprintf("Content-Type: %s\r\nContent-Length: %d\r\n", kind, len(body))
	}
	_, err := to.Write(append([]byte(head+"\r\n"), body...))
	return err
}
