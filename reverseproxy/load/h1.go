package load

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"time"
)

// answerTimeout is how long one answer may take.
const answerTimeout = 20 * time.Second

type h1 struct {
	net.Conn
	br      *bufio.Reader
	request []byte
	size    int64
}

func newH1(c net.Conn, t Target) *h1 {
	request := "GET " + t.Path + " HTTP/1.1\r\nHost: " + t.Host + "\r\n"
	for _, field := range browser {
		request += field[0] + ": " + field[1] + "\r\n"
	}
	return &h1{Conn: c, br: bufio.NewReaderSize(c, 32<<10), request: []byte(request + "\r\n"), size: t.Size}
}

// browser is what a browser sends with each request.
var browser = [][2]string{
	{"user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
	{"accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
	{"accept-language", "fr,en;q=0.5"},
	{"accept-encoding", "gzip, deflate, br"},
	{"cookie", "consent=1; lang=fr"},
}

func (c *h1) close() error { return c.Close() }

func (c *h1) fetch(more func() bool) error {
	for more() {
		if err := c.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
			return err
		}
		if _, err := c.Write(c.request); err != nil {
			return err
		}
		if err := c.readResponse(); err != nil {
			return err
		}
	}
	return nil
}

func (c *h1) readResponse() error {
	line, err := c.br.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("%w: %q", ErrAnswer, line)
	}
	length := int64(-1)
	for {
		if line, err = c.br.ReadSlice('\n'); err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("content-length")) {
			if length, err = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64); err != nil {
				return err
			}
		}
	}
	if length != c.size {
		return fmt.Errorf("%w: length %d", ErrAnswer, length)
	}
	_, err = c.br.Discard(int(length))
	return err
}
