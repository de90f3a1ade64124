package main

import (
	"chatiere/cmd/internal/testbed"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// figures is what was measured.
type figures struct {
	began                 time.Time
	took                  time.Duration
	loadBefore, loadAfter string
	cpu                   map[string][]sample // by peer and protocol
	idle                  map[string]idleMemory
	many                  map[string]int64 // KiB, by peer
}

func machineLoad() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(data))[:3], " ")
}

func (f *figures) markdown(b *bench) string {
	var s strings.Builder
	fmt.Fprintf(&s, `## The proxy

- Command: `+"`deploy/bench.sh proxy`"+`, %s, %d s
- Machine: %s; load average before %s, after %s
- Versions: %s
- A page of 16 KiB from a unix socket, over TLS 1.3 (%s). One backend shared by all and the load generator are processes
  of their own. All proxies run in containers of the same image, on the machine's network, one of them asked at a time.
- Ours is the product's binary in its role (`+"`chatiere proxy`"+`): %d routes with WordPress's refusals, header
  rewriting, traffic counted and spooled, access log written. The others have one route, rewrite the same headers, and
  log as they come: nginx and HAProxy each request, Caddy none. nginx keeps 64 upstream connections; tuned: 512, buffers
  of 32 KiB, TLS 1.3 alone, buffered log.

### Processor time per request

Microseconds over the whole process tree: median of %d rounds of %d requests in shuffled order, in brackets the lowest
and the highest round; then the ratio to nginx's median; then requests per second, for which load generator and
backend share the processors. In flight: %s.

| | h1 | ratio | req/s | h2 | ratio | req/s |
|---|---|---|---|---|---|---|
`, f.began.UTC().Format(time.RFC3339), int(f.took.Seconds()), testbed.Hardware(), f.loadBefore, f.loadAfter, b.versions(),
		f.cpu["nginx h1"][0].cipher, b.routes, b.rounds, b.requests, inFlight())
	for _, p := range peers() {
		if len(f.cpu[p.name+" h1"]) == 0 {
			continue
		}
		fmt.Fprintf(&s, "| %s |", p.name)
		for _, proto := range protocols {
			mid, low, high := median(f.cpu[p.name+" "+proto.name])
			peer, _, _ := median(f.cpu["nginx "+proto.name])
			fmt.Fprintf(&s, " %.1f (%.1f–%.1f) | %.2f | %.0f |", micros(mid), micros(low), micros(high), float64(mid)/float64(peer), f.rate(p.name+" "+proto.name))
		}
		s.WriteString("\n")
	}
	if len(f.idle) > 0 {
		f.memory(&s, b)
	}
	return s.String()
}

func (f *figures) memory(s *strings.Builder, b *bench) {
	fmt.Fprintf(s, `
### Memory

Proportional (PSS) over the whole process tree, %d s after the event. Fresh: started, one request answered, the routes of
the measurement above. Idle: %d TLS connections that each got the page once.

| | fresh, MiB | per idle h1 connection, KiB | per idle h2 connection, KiB | %d routes, MiB |
|---|---|---|---|---|
`, int(settleTime.Seconds()), b.idle, b.manyRoutes)
	for _, p := range peers() {
		m, ok := f.idle[p.name]
		if !ok {
			continue
		}
		if f.many[p.name] == 0 {
			fmt.Fprintf(s, "| %s | %.1f | %.1f | %.1f | did not answer in time |\n", p.name, float64(m.fresh)/1024, m.h1, m.h2)
			continue
		}
		fmt.Fprintf(s, "| %s | %.1f | %.1f | %.1f | %.1f |\n", p.name, float64(m.fresh)/1024, m.h1, m.h2, float64(f.many[p.name])/1024)
	}
}

func (f *figures) rate(key string) float64 {
	samples := f.cpu[key]
	var sum float64
	for _, s := range samples {
		sum += s.rate
	}
	return sum / float64(len(samples))
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func inFlight() string {
	var parts []string
	for _, p := range protocols {
		parts = append(parts, fmt.Sprintf("%s %d connections × %d", p.name, p.shape.conns, p.shape.streams))
	}
	return strings.Join(parts, "; ")
}

// versions of the peers, as they say themselves.
func (b *bench) versions() string {
	out, err := exec.Command("docker", "run", "--rm", b.image, "sh", "-c",
		`nginx -v 2>&1 | sed 's/.*: //'; haproxy -v | sed -n '1s/HAProxy version \([^ ]*\).*/haproxy \1/p'; echo "caddy $(caddy version)"`).Output()
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", ", ")), " ")
}
