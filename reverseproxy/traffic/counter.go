package traffic

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// countedCodes are the status codes that are counted individually; the others are counted by class only.
var countedCodes = [...]int{
	101, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308,
	400, 401, 403, 404, 405, 408, 409, 410, 413, 421, 422, 429, 431, 499,
	500, 501, 502, 503, 504,
}

// codeIndex maps a status code to its place in known, plus one.
var codeIndex = func() (table [600]uint8) {
	for i, code := range countedCodes {
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
	codes             [len(countedCodes)]atomic.Uint64
}

// Add counts one finished request.
func (c *Counter) Add(name string, status int, in, out int64) {
	s := c.site(name)
	s.in.Add(uint64(max(in, 0)))
	s.out.Add(uint64(max(out, 0)))
	if status >= 100 && status < len(codeIndex) {
		s.classes[status/100].Add(1)
		if slot := codeIndex[status]; slot > 0 {
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

// drain resets the counters and returns a record for each site with requests.
func (c *Counter) drain(from, to time.Time) []Record {
	var out []Record
	c.sites.Range(func(name, value any) bool {
		if r, some := value.(*site).drain(); some {
			r.From, r.To, r.Site = from, to, name.(string)
			out = append(out, r)
		}
		return true
	})
	return out
}

// drain may split a request that is being counted between this record and the next; nothing is lost or
// counted twice.
func (s *site) drain() (r Record, some bool) {
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
			r.Codes[strconv.Itoa(countedCodes[i])] = n
		}
	}
	return r, r.Requests > 0 || r.BytesIn > 0 || r.BytesOut > 0 || len(r.Status) > 0
}
