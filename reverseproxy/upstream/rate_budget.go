package upstream

import "time"

// rateBudget enforces the average rate at which a client must send a body. Bytes that arrive add time to the budget;
// waiting for the application does not use it up.
type rateBudget struct {
	budget    time.Duration // time left until the client is too slow
	maxBudget time.Duration
	rate      int64     // bytes per second
	readStart time.Time // when the read in progress began
}

func (o *Options) rateBudget() rateBudget {
	return rateBudget{budget: min(o.Grace, o.ClientTimeout), maxBudget: o.ClientTimeout, rate: o.MinRate}
}

// deadline marks the beginning of a read and returns when it must end.
func (p *rateBudget) deadline() time.Time {
	p.readStart = time.Now()
	return p.readStart.Add(p.budget)
}

// add marks the end of a read of n bytes.
func (p *rateBudget) add(n int) {
	bought := time.Duration(float64(n) / float64(p.rate) * float64(time.Second))
	p.budget = min(max(p.budget-time.Since(p.readStart), 0)+bought, p.maxBudget)
}
