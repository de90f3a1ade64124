package egress

import (
	"bufio"
	"io"
)

// ReadRequest lets the tests feed the parser directly.
func ReadRequest(from io.Reader) (name string, port uint16, rest *bufio.Reader, err error) {
	rest = bufio.NewReaderSize(from, maxHead)
	r, err := readRequest(rest)
	return r.name, r.port, rest, err
}
