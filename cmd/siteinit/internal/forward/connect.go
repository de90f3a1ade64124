package forward

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

var (
	// ErrRefused means that the gateway did not grant the request.
	ErrRefused = errors.New("refused by the gateway")
	// ErrForbidden is the refusal of a name that the site may not reach.
	ErrForbidden = fmt.Errorf("%w: not in the list", ErrRefused)
)

const (
	dialTimeout   = 2 * time.Second
	answerTimeout = 20 * time.Second // longer than the gateway's own limit for reaching a server
	maxAnswer     = 1024
)

// Connect opens a tunnel to name and port through the gateway's socket.
func Connect(ctx context.Context, socket, name string, port int) (net.Conn, error) {
	conn, err := dialUnix(ctx, socket)
	if err != nil {
		return nil, err
	}
	target := net.JoinHostPort(name, strconv.Itoa(port))
	if _, err := sendRequest(ctx, conn, "CONNECT "+target, target); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("asking for %s: %w", target, err)
	}
	return conn, nil
}

// AllowedPorts returns the ports on which the site may reach the name; an error if
// the name is not allowed. The site's own name may have none.
func AllowedPorts(ctx context.Context, socket, name string) (ports []int, err error) {
	conn, err := dialUnix(ctx, socket)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	head, err := sendRequest(ctx, conn, "HEAD /"+name, "gateway")
	if err != nil {
		return nil, fmt.Errorf("asking about %s: %w", name, err)
	}
	return portsOf(head), nil
}

// portsOf parses the gateway's answer about a name and ignores invalid ports.
func portsOf(head string) []int {
	var ports []int
	for line := range strings.SplitSeq(head, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		if !strings.EqualFold(name, "Ports") {
			continue
		}
		for text := range strings.SplitSeq(value, ",") {
			if port, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16); err == nil && port > 0 {
				ports = append(ports, int(port))
			}
		}
	}
	return ports
}

func dialUnix(ctx context.Context, socket string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("dialling the gateway: %w", err)
	}
	return conn, nil
}

// sendRequest sends one request and returns the head of a successful answer.
func sendRequest(ctx context.Context, conn net.Conn, what, host string) (head string, err error) {
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: %s\r\n\r\n", what, host); err != nil {
		return "", err
	}
	if head, err = readHead(conn); err != nil {
		return "", err
	}
	if err := checkStatus(head); err != nil {
		return "", err
	}
	return head, conn.SetDeadline(time.Time{})
}

// readHead reads up to and including the empty line, and not a byte more: what
// follows belongs to the tunnel, whose raw connection can then be spliced. A
// read for each byte is dear, but an answer has some fifty of them.
func readHead(conn net.Conn) (string, error) {
	head := make([]byte, 0, 128)
	for len(head) < maxAnswer {
		head = append(head, 0)
		if _, err := io.ReadFull(conn, head[len(head)-1:]); err != nil {
			return "", fmt.Errorf("reading the gateway's answer: %w", err)
		}
		if bytes.HasSuffix(head, []byte("\r\n\r\n")) {
			return string(head), nil
		}
	}
	return "", fmt.Errorf("%w: its answer is too long", ErrRefused)
}

func checkStatus(head string) error {
	line, _, _ := strings.Cut(head, "\r\n")
	version, rest, _ := strings.Cut(line, " ")
	status, _, _ := strings.Cut(rest, " ")
	switch {
	case !strings.HasPrefix(version, "HTTP/1."):
	case status == "200" || status == "204":
		return nil
	case status == "403":
		return ErrForbidden
	}
	return fmt.Errorf("%w: %q", ErrRefused, line)
}
