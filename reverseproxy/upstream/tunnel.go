package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"chatiere/reverseproxy/recovery"
)

// halfCloseTimeout is how long one direction of a tunnel may continue after the other has ended.
const halfCloseTimeout = 10 * time.Second

// tokens yields the elements of a comma-separated header value.
func tokens(list string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for token := range strings.SplitSeq(list, ",") {
			if token = strings.Trim(token, " \t"); token != "" && !yield(token) {
				return
			}
		}
	}
}

// checkSwitch rejects a change of protocol that the client did not request.
func (x *exchange) checkSwitch(resp *http.Response) error {
	if x.upgrade == "" || !strings.EqualFold(resp.Header.Get("Upgrade"), x.upgrade) {
		return fmt.Errorf("%w: switched to protocol %.40q", ErrBadAnswer, resp.Header.Get("Upgrade"))
	}
	return nil
}

// tunnel takes the client's connection over and copies between it and c until both directions have ended.
func (t *Transport) tunnel(w http.ResponseWriter, c *conn, resp *http.Response) error {
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("%w: taking connection over: %w", ErrBadAnswer, err)
	}
	defer client.Close()
	if err := client.SetDeadline(time.Time{}); err != nil {
		return fmt.Errorf("%w: %w", ErrAborted, err)
	}
	if _, err := client.Write(switchHead(w.Header(), resp)); err != nil {
		return fmt.Errorf("%w: %w", ErrAborted, err)
	}
	j := tunnel{limit: t.opts.TunnelTimeout}
	j.touch()
	ended := make(chan struct{}, 2)
	go j.pipe(c, client, c.br, ended) // recovers
	go j.pipe(client, c, buffered.Reader, ended)
	<-ended
	late := time.AfterFunc(halfCloseTimeout, func() {
		_ = client.Close()
		_ = c.Close()
	})
	defer late.Stop()
	<-ended
	return nil
}

// switchHead renders the 101 response, which net/http does not write on a hijacked connection.
func switchHead(ours http.Header, resp *http.Response) []byte {
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + resp.Header.Get("Upgrade") + "\r\n")
	copyHeader(ours, resp.Header) // takes away what Connection names, Upgrade above all
	// Writing to a bytes.Buffer cannot fail; Write also takes line ends out of values.
	_ = ours.Write(&head)
	head.WriteString("\r\n")
	return head.Bytes()
}

// tunnel is the state that its two directions share.
type tunnel struct {
	limit  time.Duration
	active atomic.Int64 // time of the last byte in either direction
}

func (j *tunnel) touch() { j.active.Store(time.Now().UnixNano()) }

// pipe copies from one side, read through br, to the other until it ends or both directions are idle for too long. Then
// it half-closes the other side.
func (j *tunnel) pipe(from, to net.Conn, br *bufio.Reader, ended chan<- struct{}) {
	defer func() { ended <- struct{}{} }()
	j.copy(from, to, br)
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // fails if that side has gone
	}
}

func (j *tunnel) copy(from, to net.Conn, br *bufio.Reader) {
	defer recovery.Log(slog.Default(), "carrying a tunnel") // a fault of ours ends this direction, like one of the connection
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	for {
		if err := from.SetReadDeadline(time.Now().Add(j.limit)); err != nil {
			return
		}
		n, err := br.Read(*buf)
		if n > 0 {
			j.touch()
			if !j.write(to, (*buf)[:n]) {
				return
			}
		}
		idle := time.Since(time.Unix(0, j.active.Load()))
		if err != nil && (!errors.Is(err, os.ErrDeadlineExceeded) || idle >= j.limit) {
			return
		}
	}
}

func (j *tunnel) write(to net.Conn, p []byte) bool {
	if err := to.SetWriteDeadline(time.Now().Add(j.limit)); err != nil {
		return false
	}
	_, err := to.Write(p)
	return err == nil
}
