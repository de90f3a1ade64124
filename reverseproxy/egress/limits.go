package egress

import (
	"syscall"

	"golang.org/x/time/rate"
)

// Limits prevent one site from harming the others. Zero values get defaults.
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

// bandwidth returns the limiter of a site's bandwidth.
func (l *Limits) bandwidth() *rate.Limiter {
	return rate.NewLimiter(rate.Limit(l.Bytes), int(l.BytesBurst))
}

// checkDescriptors logs a warning if there are fewer file descriptors than the limits
// allow for: a tunnel takes two. A gateway with too few still serves: connections
// wait.
func (g *gateway) checkDescriptors() {
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &now); err != nil {
		return
	}
	if need := uint64(2*g.AllTunnels + maxPending); now.Cur < need {
		g.log.Warn("fewer file descriptors than the limits allow for", "have", now.Cur, "need", need)
	}
}
