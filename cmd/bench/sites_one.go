package main

import (
	"chatiere/cmd/internal/testbed"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// oneSite is the memory of a site that is alone on the machine, MiB: proportional (PSS) of all its processes, and what
// its control group is charged, page cache that can be given back left out.
type oneSite struct {
	cold, after, hot memory // started and one page shown; some time after the requests; under a slow steady trickle
}

type memory struct{ proportional, charged float64 }

const (
	requestsBefore = 500 // of which the site then rests
	rest           = 30 * time.Second
	trickle        = time.Second // between two requests of the slow visitor
	trickling      = time.Minute
)

// visited are pages and files of a WordPress, as visitors mix them.
var visited = []string{"/", "/?p=1", "/wp-login.php", "/?s=association", "/wp-json/wp/v2/posts", "/wp-includes/css/dashicons.min.css", "/feed/"}

func (s *sites) measureOne(ctx context.Context) (oneSite, error) {
	var one oneSite
	site := s.Summary.Sites[0]
	s.logf("one site: starting it anew")
	name, err := s.Container(ctx, site.ID)
	if err != nil {
		return one, err
	}
	if _, err := testbed.Docker(ctx, "restart", name); err != nil {
		return one, err
	}
	err = testbed.Await(ctx, time.Minute, poll, name, func() error { return s.checkAnswer(ctx, base(site.URL)+"/") })
	if err != nil {
		return one, err
	}
	if !testbed.Sleep(ctx, settleTime) {
		return one, ctx.Err()
	}
	if one.cold, err = s.memory(ctx, site.ID); err != nil {
		return one, err
	}
	s.logf("one site: %d requests, then %s of rest", requestsBefore, rest)
	if err := s.visit(ctx, site.URL, requestsBefore, 4); err != nil {
		return one, err
	}
	if !testbed.Sleep(ctx, rest) {
		return one, ctx.Err()
	}
	if one.after, err = s.memory(ctx, site.ID); err != nil {
		return one, err
	}
	s.logf("one site: one request every %s for %s", trickle, trickling)
	one.hot, err = s.steadyVisits(ctx, site.URL, site.ID)
	return one, err
}

func (s *sites) checkAnswer(ctx context.Context, url string) error {
	status, _, err := testbed.Page(ctx, s.web, url)
	if err == nil && status >= http.StatusBadRequest {
		err = fmt.Errorf("%w: %s answers %d", errOther, url, status)
	}
	return err
}

// visit asks for n pages, a few at a time.
func (s *sites) visit(ctx context.Context, url string, n, atOnce int) error {
	next := make(chan string)
	failures := make([]error, atOnce)
	var all sync.WaitGroup
	for i := range atOnce {
		all.Go(func() {
			for path := range next {
				if err := s.checkAnswer(ctx, base(url)+path); err != nil {
					failures[i] = err
				}
			}
		})
	}
	for i := range n {
		next <- visited[i%len(visited)]
	}
	close(next)
	all.Wait()
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

// steadyVisits returns the median memory, read once a request, during steady visits.
func (s *sites) steadyVisits(ctx context.Context, url, id string) (memory, error) {
	var proportional, charged []float64
	for began := time.Now(); time.Since(began) < trickling; {
		if err := s.checkAnswer(ctx, base(url)+visited[len(proportional)%len(visited)]); err != nil {
			return memory{}, err
		}
		if !testbed.Sleep(ctx, trickle) {
			return memory{}, ctx.Err()
		}
		m, err := s.memory(ctx, id)
		if err != nil {
			return memory{}, err
		}
		proportional, charged = append(proportional, m.proportional), append(charged, m.charged)
	}
	return memory{medianOf(proportional), medianOf(charged)}, nil
}

func medianOf(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

const kibPerMiB = 1024

// memory reads a container's.
func (s *sites) memory(ctx context.Context, role string) (memory, error) {
	mib, err := s.proportional(ctx, role)
	if err != nil {
		return memory{}, err
	}
	name, err := s.Container(ctx, role)
	if err != nil {
		return memory{}, err
	}
	charged, err := chargedMemory(ctx, name)
	return memory{mib, charged}, err
}

// chargedMemory returns the memory that the engine reports for a control group, MiB, without inactive files.
func chargedMemory(ctx context.Context, name string) (float64, error) {
	out, err := testbed.Docker(ctx, "stats", "--no-stream", "--format", "{{.MemUsage}}", name)
	if err != nil {
		return 0, err
	}
	used, _, _ := strings.Cut(out, " ")
	for unit, factor := range map[string]float64{"GiB": 1024, "MiB": 1, "KiB": 1.0 / 1024} {
		if number, ok := strings.CutSuffix(used, unit); ok {
			n, err := strconv.ParseFloat(number, 64)
			return n * factor, err
		}
	}
	return 0, fmt.Errorf("%w: docker stats says %q", errOther, out)
}
