package forward

import (
	"context"
	"io"
	"net"
	"time"
)

// unavailableReply is the reply to mail clients while the gateway is away. Some
// clients would retry a refused connection at once.
const unavailableReply = "421 4.3.2 Mail relay not available, try again later\r\n"

// Mail returns the handler of the site's port 25.
func Mail(socket string, report func(error)) Handler {
	return func(ctx context.Context, conn net.Conn) {
		upstream, err := dialUnix(ctx, socket)
		if err != nil {
			report(err)
			_ = conn.SetWriteDeadline(time.Now().Add(dialTimeout))
			_, _ = io.WriteString(conn, unavailableReply)
			_ = conn.Close()
			return
		}
		defer context.AfterFunc(ctx, func() { _ = upstream.Close() })()
		Join(conn, upstream)
	}
}
