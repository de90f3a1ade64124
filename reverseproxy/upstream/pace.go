package upstream

import "time"

// pace is the average rate that a client has to keep while it sends a body. What has come buys time for what
// follows; time that the application takes is not counted.
type pace struct {
	left time.Duration // until it is too slow
	gap  time.Duration // the most that can be bought
	rate int64         // bytes per second
	from time.Time     // when the read in progress began
}

func (o *Options) pace() pace {
	return pace{left: min(o.Grace, o.ClientTimeout), gap: o.ClientTimeout, rate: o.MinRate}
}

// deadline begins a read and says when it must end.
func (p *pace) deadline() time.Time {
	p.from = time.Now()
	return p.from.Add(p.left)
}

// add ends a read that brought n bytes.
func (p *pace) add(n int) {
	bought := time.Duration(float64(n) / float64(p.rate) * float64(time.Second))
	p.left = min(max(p.left-time.Since(p.from), 0)+bought, p.gap)
}
