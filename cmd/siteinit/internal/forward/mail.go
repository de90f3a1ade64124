package forward

import (
	"context"
	"io"
	"net"
	"time"
)

// absent is what a mail client is told while the gateway is away: come back
// later. Answering beats refusing the connection, which some clients retry.
const absent = "421 4.3.2 Mail relay not available, try again later\r\n"

// Mail returns the handler of the site's port 25.
func Mail(socket string, report func(error)) Handler {
	return func(ctx context.Context, conn net.Conn) {
		upstream, err := dialUnix(ctx, socket)
		if err != nil {
			report(err)
			_ = conn.SetWriteDeadline(time.Now().Add(dialLimit))
			_, _ = io.WriteString(conn, absent)
			_ = conn.Close()
			return
		}
		defer context.AfterFunc(ctx, func() { _ = upstream.Close() })()
		Join(conn, upstream)
	}
}
