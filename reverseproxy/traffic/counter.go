package traffic

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// known are the status codes counted one by one; the others are counted by class only.
var known = [...]int{
	101, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308,
	400, 401, 403, 404, 405, 408, 409, 410, 413, 421, 422, 429, 431, 499,
	500, 501, 502, 503, 504,
}

// slots maps a status code to its place in known, plus one.
var slots = func() (table [600]uint8) {
	for i, code := range known {
		table[code] = uint8(i + 1)
	}
	return table
}()

// Counter counts in memory. Its methods may be called from any goroutine.
type Counter struct {
	sites sync.Map // string → *site; sites are never removed: there are as many as routes ever were
}

type site struct {
	requests, in, out atomic.Uint64
	classes           [6]atomic.Uint64
	codes             [len(known)]atomic.Uint64
}

// Add counts one finished request.
func (c *Counter) Add(name string, status int, in, out int64) {
	s := c.site(name)
	s.in.Add(uint64(max(in, 0)))
	s.out.Add(uint64(max(out, 0)))
	if status >= 100 && status < len(slots) {
		s.classes[status/100].Add(1)
		if slot := slots[status]; slot > 0 {
			s.codes[slot-1].Add(1)
		}
	}
	s.requests.Add(1)
}

func (c *Counter) site(name string) *site {
	if s, ok := c.sites.Load(name); ok {
		return s.(*site)
	}
	s, _ := c.sites.LoadOrStore(name, new(site))
	return s.(*site)
}

// take empties the counters and returns a record for each site that was asked for something.
func (c *Counter) take(from, to time.Time) []Record {
	var out []Record
	c.sites.Range(func(name, value any) bool {
		if r, some := value.(*site).take(); some {
			r.From, r.To, r.Site = from, to, name.(string)
			out = append(out, r)
		}
		return true
	})
	return out
}

// take may split a request that is being counted between this record and the next; nothing is lost or
// counted twice.
func (s *site) take() (r Record, some bool) {
	r = Record{
		Requests: s.requests.Swap(0), BytesIn: s.in.Swap(0), BytesOut: s.out.Swap(0),
		Status: map[string]uint64{}, Codes: map[string]uint64{},
	}
	for class := range s.classes {
		if n := s.classes[class].Swap(0); n > 0 {
			r.Status[strconv.Itoa(class)+"xx"] = n
		}
	}
	for i := range s.codes {
		if n := s.codes[i].Swap(0); n > 0 {
			r.Codes[strconv.Itoa(known[i])] = n
		}
	}
	return r, r.Requests > 0 || r.BytesIn > 0 || r.BytesOut > 0 || len(r.Status) > 0
}
