package egress

import (
	"syscall"

	"golang.org/x/time/rate"
)

// Limits keep one site from harming the others. What is not set has a default.
type Limits struct {
	MaxTunnels int     // at once, per site (64)
	AllTunnels int     // at once, all sites together (2,048)
	Rate       float64 // new tunnels per second, per site, in the long run (20)
	Burst      int     // and at once after a rest (100)
	Bytes      int64   // per second, per site, both ways together, in the long run (8 MiB)
	BytesBurst int64   // and at once after a rest (256 MiB)
}

func (l *Limits) fill() {
	orDefault(&l.MaxTunnels, 64)
	orDefault(&l.AllTunnels, 2048)
	orDefault(&l.Rate, 20)
	orDefault(&l.Burst, 100)
	orDefault(&l.Bytes, 8<<20)
	orDefault(&l.BytesBurst, 256<<20)
	// A burst below one buffer would let nothing through at all.
	l.BytesBurst = max(l.BytesBurst, bufferSize)
}

// flow is the site's share of the line.
func (l *Limits) flow() *rate.Limiter {
	return rate.NewLimiter(rate.Limit(l.Bytes), int(l.BytesBurst))
}

// checkDescriptors says so if the limits promise more than the system gives:
// a tunnel takes two descriptors. A gateway with too few still serves: what
// finds none waits, and nothing is lost.
func (g *gateway) checkDescriptors() {
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &now); err != nil {
		return
	}
	if need := uint64(2*g.AllTunnels + waiting); now.Cur < need {
		g.log.Warn("fewer file descriptors than the limits allow for", "have", now.Cur, "need", need)
	}
}
