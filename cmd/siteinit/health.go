package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

const probeLimit = 4 * time.Second

// errUnhealthy says that the site answered, and not with success.
var errUnhealthy = errors.New("unhealthy")

// health is Docker's health check: quiet when all is well.
func health(ctx context.Context, args []string, stderr io.Writer) int {
	s, rest, err := parse(args, stderr)
	if err != nil || len(rest) > 0 {
		return exitUsage
	}
	c, err := readConfig(s.config)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, probeLimit)
		defer cancel()
		err = c.Health.ask(ctx)
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitFailed
	}
	return 0
}

// ask makes the request by hand: net/http would triple the binary.
func (p probe) ask(ctx context.Context) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", p.Socket)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnhealthy, err)
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nHost: health\r\n\r\n", p.Path); err != nil {
		return fmt.Errorf("%w: asking: %w", errUnhealthy, err)
	}
	line, err := bufio.NewReader(io.LimitReader(conn, 512)).ReadString('\n')
	if err != nil {
		return fmt.Errorf("%w: reading answer: %w", errUnhealthy, err)
	}
	_, rest, _ := strings.Cut(line, " ")
	if !strings.HasPrefix(line, "HTTP/1.") || (!strings.HasPrefix(rest, "2") && !strings.HasPrefix(rest, "3")) {
		return fmt.Errorf("%w: %s answered %q", errUnhealthy, p.Path, strings.TrimSpace(line))
	}
	return nil
}
