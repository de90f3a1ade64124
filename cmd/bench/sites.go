package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"chatiere/cmd/internal/apiclient"
	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/demo"
	"chatiere/panel/api"
)

// sites is what the measurements on a running instance share: a fresh one with one site in it.
type sites struct {
	config  config.Config
	summary demo.Summary
	panel   *apiclient.Client
	web     *http.Client // as a visitor's browser: names to loopback, our authority trusted
	many    int
	log     io.Writer
}

// sitesFigures is what was measured on it.
type sitesFigures struct {
	began                 time.Time
	took                  time.Duration
	loadBefore, loadAfter string
	one                   oneSite
	clicks                []time.Duration
	crowd                 crowd
	pages                 []pageFigure
}

// clicksMeasured is how often the way from the wish to the first page is timed.
const clicksMeasured = 5

func sitesSection(ctx context.Context, args []string, log io.Writer) error {
	flags := flag.NewFlagSet("sites", flag.ContinueOnError)
	file := flags.String("config", "", "the instance's chatiere.yaml")
	summary := flags.String("summary", "", "what chatiere demo said of it")
	many := flags.Int("many", 200, "sites that run at once")
	document := flags.String("document", "docs/benchmarks.md", "where the section is written")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s, err := openSites(*file, *summary)
	if err != nil {
		return err
	}
	s.many, s.log = *many, log
	f, err := s.measure(ctx)
	if err != nil {
		return err
	}
	return writeSection(*document, "sites", f.markdown(s))
}

func openSites(file, summary string) (*sites, error) {
	c, err := config.Load(file, os.Environ())
	if err != nil {
		return nil, err
	}
	s := &sites{config: c, panel: apiclient.OverSocket(c.Paths().CLISocket())}
	data, err := os.ReadFile(summary)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &s.summary); err != nil {
		return nil, fmt.Errorf("reading %s: %w", summary, err)
	}
	pem, err := os.ReadFile(c.Paths().CA())
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", c.Paths().CA())
	}
	s.web = &http.Client{
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 16,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				_, port, err := net.SplitHostPort(address)
				if err != nil {
					return nil, err
				}
				return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
			},
		},
	}
	return s, nil
}

// measure goes from the one site that is there to many.
func (s *sites) measure(ctx context.Context) (*sitesFigures, error) {
	f := &sitesFigures{began: time.Now(), loadBefore: machineLoad()}
	var err error
	if f.one, err = s.measureOne(ctx); err != nil {
		return nil, fmt.Errorf("one site: %w", err)
	}
	for range clicksMeasured {
		took, err := s.click(ctx)
		if err != nil {
			return nil, fmt.Errorf("click to page: %w", err)
		}
		s.say("a click became a page after %s", took.Round(time.Millisecond))
		f.clicks = append(f.clicks, took)
	}
	if f.crowd, err = s.measureCrowd(ctx); err != nil {
		return nil, fmt.Errorf("%d sites: %w", s.many, err)
	}
	if f.pages, err = s.measurePages(ctx); err != nil {
		return nil, fmt.Errorf("the panel's pages: %w", err)
	}
	f.took, f.loadAfter = time.Since(f.began), machineLoad()
	return f, nil
}

func (s *sites) say(format string, args ...any) { _, _ = fmt.Fprintf(s.log, format+"\n", args...) }

// click times one wish for a site, as the panel's button sends it, until a visitor gets its home page.
func (s *sites) click(ctx context.Context) (time.Duration, error) {
	name := "Clic " + word()
	began := time.Now()
	op, err := s.wish(ctx, name)
	if err != nil {
		return 0, err
	}
	var site api.Site
	if err := s.panel.Get(ctx, api.Item(api.PathSites, op.Site), &site); err != nil {
		return 0, err
	}
	err = s.await(ctx, 2*time.Minute, func() error { return s.shows(ctx, site.URL, name) })
	return time.Since(began), err
}

func (s *sites) wish(ctx context.Context, name string) (op api.Operation, err error) {
	err = s.panel.Post(ctx, api.Prefix+api.PathSites, api.NewSite{
		Association: s.summary.Association, Template: "wordpress", Name: name, Host: "bench-" + word(),
	}, "", &op)
	return op, err
}

// errOther is an answer that is not the page wanted.
var errOther = errors.New("not the page")

// shows wants a site's home page with its title.
func (s *sites) shows(ctx context.Context, url, title string) error {
	status, body, err := s.page(ctx, url)
	if err != nil {
		return err
	}
	if status != http.StatusOK || !bytes.Contains(body, []byte("<title>"+title)) {
		return fmt.Errorf("%w: %s answers %d without the title %q", errOther, url, status, title)
	}
	return nil
}

func (s *sites) page(ctx context.Context, url string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	res, err := s.web.Do(req)
	if err != nil {
		return 0, nil, err
	}
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, body, errors.Join(err, res.Body.Close())
}

// await tries until it goes well, or tells the last failure when the time is over.
func (s *sites) await(ctx context.Context, within time.Duration, try func() error) error {
	deadline := time.Now().Add(within)
	for {
		err := try()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// base is an address without the slash at its end.
func base(url string) string { return strings.TrimSuffix(url, "/") }
