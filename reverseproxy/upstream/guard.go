package upstream

import "context"

// guard closes the connection to the application when the client goes, whatever we wait for there. It
// is set up only when we are about to wait: most answers come at once.
type guard struct {
	ctx  context.Context
	conn *conn
	stop func() bool // nil until watch
}

func (g *guard) watch() {
	if g.stop == nil {
		c := g.conn
		g.stop = context.AfterFunc(g.ctx, func() { _ = c.Close() })
	}
}

// release ends the watch and reports whether the connection is still ours.
func (g *guard) release() bool { return g.stop == nil || g.stop() }
