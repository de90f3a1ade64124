package egress

import (
	"context"
	"net"

	"chatiere/reverseproxy/egress/relay"
	"chatiere/reverseproxy/egress/spool"
)

const mailPort = 25

// serveMail hands the site's mail port to the relay. What the relay does not
// take stands in the record of what the site tried, too.
func (s *site) serveMail(ctx context.Context, listener net.Listener) {
	s.relay.Serve(ctx, listener, relay.Site{
		ID:      s.id,
		Host:    func() string { return s.list.Load().Host },
		Senders: func() []string { return s.list.Load().Senders },
		Allow:   func() bool { return s.attempts.AllowN(s.Now(), 1) },
		Record:  func(cause error) { s.record(request{name: "mail", port: mailPort}, spool.Refused, cause) },
	})
}
