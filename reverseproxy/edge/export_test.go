package edge

import "net"

// ClientOf names whom a connection is counted for.
func ClientOf(c net.Conn) string {
	k := keyOf(c, nil)
	return k.network.String() + k.socket
}

// Busy is the number of requests in flight.
func (s *Server) Busy() int {
	s.tracker.mu.Lock()
	defer s.tracker.mu.Unlock()
	var n int64
	for _, who := range s.tracker.clients {
		n += who.requests.Load()
	}
	return int(n)
}
