package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// firstSiteUID is the lowest uid that PerUser limits: lower ones are the platform's own processes.
const firstSiteUID = 100_000

// PerUser lets each user have at most limit connections at a time, and closes the others at once. A server that counts
// only who has signed in could otherwise be filled by one user who never does.
func PerUser(limit int, next Handler, report func(error)) Handler {
	var mu sync.Mutex
	open := map[uint32]int{}
	enter := func(uid uint32) bool {
		mu.Lock()
		defer mu.Unlock()
		if open[uid] >= limit {
			return false
		}
		open[uid]++
		return true
	}
	leave := func(uid uint32) {
		mu.Lock()
		defer mu.Unlock()
		if open[uid]--; open[uid] == 0 {
			delete(open, uid)
		}
	}
	return func(ctx context.Context, conn net.Conn) {
		uid, err := peer(conn)
		if err != nil {
			Reset(conn)
			report(err)
			return
		}
		if uid >= firstSiteUID {
			if !enter(uid) {
				Reset(conn)
				return
			}
			defer leave(uid)
		}
		next(ctx, conn)
	}
}

// ErrPeer means that the peer of a connection is not known.
var ErrPeer = errors.New("unknown peer")

// peer returns the user at the other end of a unix socket, as the kernel noted it when the connection was made.
func peer(conn net.Conn) (uint32, error) {
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, fmt.Errorf("asking for the peer of a connection by %s: %w", conn.LocalAddr().Network(), ErrPeer)
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("asking for a peer: %w: %w", ErrPeer, err)
	}
	var cred *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) { cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return 0, fmt.Errorf("asking for a peer: %w: %w", ErrPeer, err)
	}
	if failed != nil {
		return 0, fmt.Errorf("asking for a peer: %w: %w", ErrPeer, failed)
	}
	return cred.Uid, nil
}
