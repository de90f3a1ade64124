package forward

import (
	"context"
	"net"
	"net/netip"

	"chatiere/cmd/siteinit/internal/names"
)

// NameTable returns the name of an address.
type NameTable interface {
	Name(netip.Addr) (string, bool)
}

// Egress returns the handler of connections to addresses that stand for names.
// A connection that came to 127.0.0.1 itself goes to own, where own is not
// empty: libraries (curl) know by themselves that names below "localhost" are
// loopback and ask no resolver, so a site named demo.chatiere.localhost would
// not find itself. The gateway is told of the other addresses of loopback, which it
// refuses, so that people see what was tried.
func Egress(socket, own string, book NameTable, report func(error)) Handler {
	return func(ctx context.Context, conn net.Conn) {
		at := local(conn)
		name, ok := book.Name(at.Addr())
		if !ok && at.Addr() == loopback && own != "" {
			name, ok = own, true
		}
		if !ok {
			Reset(conn)
			if !names.Range.Contains(at.Addr()) { // else a name that was forgotten
				reportRefused(ctx, socket, at, report)
			}
			return
		}
		upstream, err := Connect(ctx, socket, name, int(at.Port()))
		if err != nil {
			Reset(conn)
			report(err)
			return
		}
		defer context.AfterFunc(ctx, func() { _ = upstream.Close() })()
		Join(conn, upstream)
	}
}

// reportRefused sends an attempt to the gateway, which refuses every address and records it.
func reportRefused(ctx context.Context, socket string, at netip.AddrPort, report func(error)) {
	conn, err := Connect(ctx, socket, at.Addr().String(), int(at.Port()))
	if err != nil {
		report(err)
		return
	}
	_ = conn.Close() // no gateway of ours opens it
}

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// local is the address the client asked for: the listener is bound to all.
func local(conn net.Conn) netip.AddrPort {
	at, ok := conn.LocalAddr().(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	port := at.AddrPort()
	return netip.AddrPortFrom(port.Addr().Unmap(), port.Port())
}
