package traffic_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"chatiere/reverseproxy/spoolfile"
	"chatiere/reverseproxy/traffic"
)

// clock moves only when told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Microsecond)
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)} }

// run flushes s until the returned function is called.
func run(s *traffic.Spool) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen: %s", what)
		}
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// ingest adds up everything in dir by site.
func ingest(t *testing.T, dir string) map[string]traffic.Record {
	t.Helper()
	sum := make(map[string]traffic.Record)
	err := traffic.Format.Ingest(context.Background(), dir, quiet(), func(_ string, records []traffic.Record) error {
		for _, r := range records {
			total := sum[r.Site]
			total.Requests += r.Requests
			total.BytesIn += r.BytesIn
			total.BytesOut += r.BytesOut
			total.Status = add(total.Status, r.Status)
			total.Codes = add(total.Codes, r.Codes)
			sum[r.Site] = total
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func add(into, from map[string]uint64) map[string]uint64 {
	if into == nil {
		into = make(map[string]uint64)
	}
	for key, n := range from {
		into[key] += n
	}
	return into
}

func TestEveryRequestIsCountedOnceWhileFilesComeAndGo(t *testing.T) {
	dir, counter := t.TempDir(), new(traffic.Counter)
	stop := run(&traffic.Spool{Dir: dir, Counter: counter, Every: time.Millisecond, Clock: time.Now, Log: quiet()})
	var sum map[string]traffic.Record
	for phase := range 4 {
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for i := range 500 {
					counter.Add(fmt.Sprintf("s%d", i%5), []int{200, 404, 503, 299}[i%4], 2, 3)
				}
			})
		}
		group.Wait()
		eventually(t, "a file appears", func() bool { return files(t, dir) > 0 })
		if phase == 0 {
			sum = ingest(t, dir)
			continue // the other files pile up
		}
		n := files(t, dir)
		counter.Add("other", 200, 0, 0)
		eventually(t, "another file appears", func() bool { return files(t, dir) > n })
	}
	stop()
	rest := ingest(t, dir)
	for _, site := range []string{"s0", "s1", "s2", "s3", "s4"} {
		requests := sum[site].Requests + rest[site].Requests
		in, out := sum[site].BytesIn+rest[site].BytesIn, sum[site].BytesOut+rest[site].BytesOut
		status := add(add(nil, sum[site].Status), rest[site].Status)
		if requests != 3200 || in != 6400 || out != 9600 || status["2xx"] != 1600 || status["4xx"] != 800 || status["5xx"] != 800 {
			t.Errorf("%s: %d requests, %d in, %d out, %v", site, requests, in, out, status)
		}
		if codes := add(add(nil, sum[site].Codes), rest[site].Codes); codes["200"] != 800 || codes["299"] != 0 {
			t.Errorf("%s: codes %v", site, codes)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left over: %v %v", entries, err)
	}
}

func TestNothingIsLostWhileNobodyIngests(t *testing.T) {
	dir, counter, clock := t.TempDir(), new(traffic.Counter), newClock()
	s := &traffic.Spool{Dir: dir, Counter: counter, Every: time.Millisecond, MaxFiles: 3, Clock: clock.Now, Log: quiet()}
	stop := run(s)
	for range 200 {
		counter.Add("s1", 200, 0, 1)
		clock.move(time.Minute)
		time.Sleep(500 * time.Microsecond)
	}
	if n := files(t, dir); n > 3 {
		t.Errorf("%d files wait", n)
	}
	stop() // the last flush writes whatever the number of files
	records := 0
	var total uint64
	err := traffic.Format.Ingest(context.Background(), dir, quiet(), func(_ string, batch []traffic.Record) error {
		for _, r := range batch {
			records++
			total += r.Requests
			// Coalescing must leave a day's figures right, so it stops at the hour.
			if r.To.Sub(r.From) > 2*time.Hour {
				t.Errorf("one record spans %v", r.To.Sub(r.From))
			}
		}
		return nil
	})
	if err != nil || total != 200 || records > 20 {
		t.Errorf("%d requests in %d records, %v", total, records, err)
	}
}

func files(t *testing.T, dir string) int {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "traffic-*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// lines is a log that is written and read at a time.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestFullDiskKeepsCountsInMemory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not there yet")
	counter, log := new(traffic.Counter), new(lines)
	s := &traffic.Spool{Dir: dir, Counter: counter, Every: time.Millisecond, Clock: time.Now, Log: slog.New(slog.NewTextHandler(log, nil))}
	stop := run(s)
	counter.Add("s1", 200, 1, 1)
	eventually(t, "a flush has failed", func() bool { return strings.Contains(log.String(), "stay in memory") })
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	eventually(t, "counts are written", func() bool { return files(t, dir) > 0 })
	stop()
	if got := ingest(t, dir)["s1"].Requests; got != 1 {
		t.Errorf("%d requests", got)
	}
	if n := strings.Count(log.String(), "stay in memory"); n != 1 {
		t.Errorf("said %d times: %s", n, log)
	}
}

func TestBeyondTheCapTheOldestGoAndItIsSaid(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing")
	counter, clock, log := new(traffic.Counter), newClock(), new(strings.Builder)
	s := &traffic.Spool{Dir: dir, Counter: counter, Every: time.Hour, MaxPending: 10, Clock: clock.Now, Log: slog.New(slog.NewTextHandler(log, nil))}
	stop := run(s)
	for i := range 25 {
		counter.Add(fmt.Sprintf("s%d", i), 200, 0, 0)
	}
	stop()
	if !strings.Contains(log.String(), "records=15 requests=15") {
		t.Errorf("log: %s", log)
	}
}

const line = `{"from":"2026-11-22T05:00:00Z","to":"2026-11-22T05:00:05Z","site":"%s","requests":1,"bytes_in":0,"bytes_out":5,"status":{"2xx":1}}` + "\n"

// What Parse accepts can be written again and read as the same, and fits where it is stored.
func FuzzParse(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(line, "a")))
	f.Add([]byte("\n\n"))
	f.Add([]byte(fmt.Sprintf(line, strings.Repeat("a", 300))))
	f.Add([]byte(fmt.Sprintf(line, "\\u212a")))
	f.Add([]byte(`{"from":"0001-01-01T00:00:01Z","to":"9999-12-31T00:00:00Z","site":"s","requests":18446744073709551615}`))
	f.Add([]byte(`{"from":"2026-11-22T05:00:00Z","to":"2026-11-22T05:00:00Z","site":"s","bytes_in":-1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		records, err := traffic.Format.Parse(data)
		if err != nil && !errors.Is(err, spoolfile.ErrDamaged) {
			t.Errorf("error %v", err)
		}
		var again bytes.Buffer
		for _, r := range records {
			if r.Site == "" || len(r.Site) > 64 || r.To.Before(r.From) || r.From.Year() < 1999 || r.To.Year() > 2200 || int64(r.Requests) < 0 {
				t.Errorf("record %+v", r)
			}
			if err := json.NewEncoder(&again).Encode(r); err != nil {
				t.Fatal(err)
			}
		}
		back, err := traffic.Format.Parse(again.Bytes())
		if err != nil || len(back) != len(records) {
			t.Errorf("%d records read, written and read as %d: %v", len(records), len(back), err)
		}
	})
}

func TestRecordsThatNoProxyCanHaveWrittenAreDamaged(t *testing.T) {
	for name, text := range map[string]string{
		"a long site":     fmt.Sprintf(line, strings.Repeat("a", 65)),
		"a path":          fmt.Sprintf(line, "../panel"),
		"too many":        `{"from":"2026-11-22T05:00:00Z","to":"2026-11-22T05:00:00Z","site":"s","requests":18446744073709551615}`,
		"a year too late": `{"from":"2026-11-22T05:00:00Z","to":"9999-11-22T05:00:00Z","site":"s"}`,
		"long ago":        `{"from":"0001-11-22T05:00:00Z","to":"0001-11-22T05:00:00Z","site":"s"}`,
	} {
		if records, err := traffic.Format.Parse([]byte(text)); !errors.Is(err, spoolfile.ErrDamaged) {
			t.Errorf("%s: %+v, %v", name, records, err)
		}
	}
}
