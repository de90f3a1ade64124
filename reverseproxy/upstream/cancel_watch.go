package upstream

import "context"

// cancelWatch closes the connection to the application when the request is cancelled. It is started only before a wait:
// most answers come at once.
type cancelWatch struct {
	ctx  context.Context
	conn *conn
	stop func() bool // nil until start
}

func (g *cancelWatch) start() {
	if g.stop == nil {
		c := g.conn
		g.stop = context.AfterFunc(g.ctx, func() { _ = c.Close() })
	}
}

// release ends the watch and reports whether the connection is still ours.
func (g *cancelWatch) release() bool { return g.stop == nil || g.stop() }
