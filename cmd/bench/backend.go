package main

import (
	"bufio"
	"context"
	"flag"
	"io"
	"net"
	"os"
	"strings"
	"sync"
)

// pageSize is the body of the page that everybody proxies.
const pageSize = 16 << 10

// backendProcess answers every request with the page, as cheaply as can be: all proxies share it, and none is to wait
// for it. The header is that of a WordPress page behind nginx.
func backendProcess(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("backend", flag.ContinueOnError)
	socket := flags.String("socket", "", "where to listen")
	if err := flags.Parse(args); err != nil {
		return err
	}
	l, err := net.Listen("unix", *socket)
	if err != nil {
		return err
	}
	if err := os.Chmod(*socket, 0o666); err != nil { // nginx's workers are nobody in particular
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	var conns sync.WaitGroup
	defer conns.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			return nil // told to end
		}
		stop := context.AfterFunc(ctx, func() { _ = c.Close() })
		conns.Go(func() {
			defer stop()
			answer(c)
		})
	}
}

var page = "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sun, 22 Nov 2026 05:00:00 GMT\r\n" +
	"Content-Type: text/html; charset=UTF-8\r\nLink: <https://demo.lilas.test/wp-json/>; rel=\"https://api.w.org/\"\r\n" +
	"Vary: Accept-Encoding\r\nContent-Length: 16384\r\n\r\n" + strings.Repeat("x", pageSize)

// answer knows requests without a body alone.
func answer(c net.Conn) {
	defer c.Close()
	br := bufio.NewReader(c)
	for {
		last := false
		for line, err := br.ReadSlice('\n'); len(line) != 2; line, err = br.ReadSlice('\n') {
			if err != nil {
				return
			}
			last = last || strings.EqualFold(string(line), "connection: close\r\n")
		}
		if _, err := io.WriteString(c, page); err != nil || last {
			return
		}
	}
}
