package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// visitors request pages of a site without operations during the whole run.
type visitors struct {
	*harness
	client *http.Client
	site   string   // its address
	posts  chan int // articles that no logged-in request changes at this instant
	stop   context.CancelFunc
	all    sync.WaitGroup
	began  time.Time
	ended  time.Time

	mu       sync.Mutex
	counts   map[string]int
	took     map[string][]time.Duration
	failures []failure
}

// failure is one request that did not get what it came for.
type failure struct {
	kind     string
	from, to time.Time
	said     string
	excuse   string // "" when there is none
}

// request is one kind of request, with how many of a hundred are of it and what it cannot do without.
type request struct {
	kind  string
	share int
	needs []string
	ask   func(ctx context.Context, g *visitors) error
}

var requests = []request{
	{"static file", 80, nil, func(ctx context.Context, g *visitors) error {
		return g.get(ctx, "/wp-includes/css/dist/block-library/style.min.css", "wp-block")
	}},
	{"PHP page", 13, []string{sitesDatabase}, func(ctx context.Context, g *visitors) error { return g.get(ctx, "/", "<html") }},
	{"logged-in POST", 7, []string{sitesDatabase, fullDisk}, (func(ctx context.Context, g *visitors) error {
		return g.send(ctx)
	})},
}

// articles is how many logged-in requests may be under way beside each other.
const articles = 64

func (r *harness) newVisitors(ctx context.Context) (*visitors, error) {
	g := &visitors{harness: r, site: strings.TrimSuffix(r.Summary.Sites[0].URL, "/"), counts: map[string]int{}, took: map[string][]time.Duration{}}
	var err error
	if g.client, err = r.Browser(); err != nil {
		return nil, err
	}
	r.guests = g
	for _, q := range requests { // each once before the first failure is provoked
		if q.kind != "logged-in POST" {
			if err := q.ask(ctx, g); err != nil {
				return nil, fmt.Errorf("the first %s: %w", q.kind, err)
			}
		}
	}
	g.posts = make(chan int, articles)
	first, err := g.publish(ctx)
	if err != nil {
		return nil, fmt.Errorf("the first article: %w", err)
	}
	g.posts <- first
	return g, nil
}

func (g *visitors) begin(ctx context.Context) {
	ctx, g.stop = context.WithCancel(ctx)
	g.began = time.Now()
	g.all.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(g.rate))
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			q := pick(n)
			g.all.Go(func() { g.one(context.WithoutCancel(ctx), q) })
		}
	})
}

// end waits for the last answer. It may be called twice.
func (g *visitors) end() {
	if g.stop == nil || !g.ended.IsZero() {
		return
	}
	g.stop()
	g.all.Wait()
	g.ended = time.Now()
}

// pick spreads the kinds evenly.
func pick(n int) request {
	at := n * 37 % 100 // 37 and 100 have no common divisor: every number comes once in a hundred
	for _, q := range requests {
		if at -= q.share; at < 0 {
			return q
		}
	}
	return requests[0]
}

func (g *visitors) one(ctx context.Context, q request) {
	from := time.Now()
	err := q.ask(ctx, g)
	to := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counts[q.kind]++
	g.took[q.kind] = append(g.took[q.kind], to.Sub(from))
	if err == nil {
		return
	}
	f := failure{q.kind, from, to, err.Error(), g.journal.excuses(from, to, q.needs)}
	g.failures = append(g.failures, f)
	if f.excuse == "" {
		g.logf("✗ %s failed after %s: %s", q.kind, to.Sub(from).Round(time.Millisecond), f.said)
	}
}

func (g *visitors) get(ctx context.Context, path, holds string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.site+path, nil)
	if err != nil {
		return err
	}
	body, err := g.do(req, http.StatusOK)
	if err == nil && !bytes.Contains(body, []byte(holds)) {
		err = fmt.Errorf("the answer does not hold %q but %.80q", holds, body)
	}
	return err
}

func (g *visitors) do(req *http.Request, want int) ([]byte, error) {
	res, err := g.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != want {
		return nil, fmt.Errorf("%s: %.300q", res.Status, body)
	}
	return body, nil
}

// publish makes an article as somebody who is signed in.
func (g *visitors) publish(ctx context.Context) (id int, err error) {
	req, err := g.signed(ctx, "/wp-json/wp/v2/posts", map[string]string{"title": "Secousses", "status": "draft", "content": "Bonjour."})
	if err != nil {
		return 0, err
	}
	body, err := g.do(req, http.StatusCreated)
	if err != nil {
		return 0, err
	}
	var made struct{ ID int }
	return made.ID, json.Unmarshal(body, &made)
}

// send changes an article that nobody else changes now, and wants the change in the answer.
func (g *visitors) send(ctx context.Context) error {
	var id int
	select {
	case id = <-g.posts:
	default:
		fresh, err := g.publish(ctx)
		if err != nil {
			return err
		}
		id = fresh
	}
	defer func() {
		select {
		case g.posts <- id:
		default: // more than enough
		}
	}()
	title := "Secousses " + time.Now().UTC().Format("15:04:05.000000")
	req, err := g.signed(ctx, fmt.Sprintf("/wp-json/wp/v2/posts/%d", id), map[string]string{"title": title})
	if err != nil {
		return err
	}
	body, err := g.do(req, http.StatusOK)
	if err == nil && !bytes.Contains(body, []byte(title)) {
		err = fmt.Errorf("the change is not in the answer: %.80q", body)
	}
	return err
}

func (g *visitors) signed(ctx context.Context, path string, what any) (*http.Request, error) {
	data, err := json.Marshal(what)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.site+path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	s := g.Summary.Sites[0]
	req.SetBasicAuth(s.WPUser, s.WPAppPassword)
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}

// at returns the median, the 99th percentile and the slowest of what was taken.
func quantiles(took []time.Duration) (median, p99, slowest time.Duration) {
	if len(took) == 0 {
		return 0, 0, 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return sorted[len(sorted)/2], sorted[len(sorted)*99/100], sorted[len(sorted)-1]
}
