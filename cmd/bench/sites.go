package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"chatiere/cmd/internal/testbed"
	"chatiere/panel/api"
)

// sites is what the measurements on a running instance share: a fresh one with one site in it.
type sites struct {
	*testbed.Instance
	web  *http.Client // as a visitor's browser
	many int
	log  io.Writer
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

// poll is the time between two looks.
const poll = 20 * time.Millisecond

// newSitesMeasured is how often the time from the request to the first page is measured.
const newSitesMeasured = 5

func sitesSection(ctx context.Context, args []string, log io.Writer) error {
	flags := flag.NewFlagSet("sites", flag.ContinueOnError)
	file := flags.String("config", "", "the instance's chatiere.yaml")
	summary := flags.String("summary", "", "what chatiere demo said of it")
	many := flags.Int("many", 200, "sites that run at once")
	document := flags.String("document", "docs/benchmarks.md", "where the section is written")
	if err := flags.Parse(args); err != nil {
		return err
	}
	i, err := testbed.Open(*file, *summary)
	if err != nil {
		return err
	}
	s := &sites{Instance: i, many: *many, log: log}
	if s.web, err = i.Browser(); err != nil {
		return err
	}
	f, err := s.measure(ctx)
	if err != nil {
		return err
	}
	return writeSection(*document, "sites", f.markdown(s))
}

// measure goes from the one site that is there to many.
func (s *sites) measure(ctx context.Context) (*sitesFigures, error) {
	f := &sitesFigures{began: time.Now(), loadBefore: machineLoad()}
	var err error
	if f.one, err = s.measureOne(ctx); err != nil {
		return nil, fmt.Errorf("one site: %w", err)
	}
	for range newSitesMeasured {
		took, err := s.timeNewSite(ctx)
		if err != nil {
			return nil, fmt.Errorf("click to page: %w", err)
		}
		s.logf("a click became a page after %s", took.Round(time.Millisecond))
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

func (s *sites) logf(format string, args ...any) { _, _ = fmt.Fprintf(s.log, format+"\n", args...) }

// timeNewSite measures the time from the request for a site, as the panel's button sends it, until its home page.
func (s *sites) timeNewSite(ctx context.Context) (time.Duration, error) {
	name := "Clic " + testbed.Word()
	began := time.Now()
	op, err := s.requestSite(ctx, name)
	if err != nil {
		return 0, err
	}
	var site api.Site
	if err := s.Panel.Get(ctx, api.Item(api.PathSites, op.Site), &site); err != nil {
		return 0, err
	}
	err = testbed.Await(ctx, 2*time.Minute, poll, name, func() error { return s.checkTitle(ctx, site.URL, name) })
	return time.Since(began), err
}

func (s *sites) requestSite(ctx context.Context, name string) (op api.Operation, err error) {
	err = s.Panel.Post(ctx, api.Prefix+api.PathSites, api.NewSite{
		Association: s.Summary.Association, Template: "wordpress", Name: name, Host: "bench-" + testbed.Word(),
	}, "", &op)
	return op, err
}

// errOther is an answer that is not the page wanted.
var errOther = errors.New("not the page")

// checkTitle requests a site's home page, which must show its title.
func (s *sites) checkTitle(ctx context.Context, url, title string) error {
	status, body, err := testbed.Page(ctx, s.web, url)
	if err != nil {
		return err
	}
	if status != http.StatusOK || !bytes.Contains(body, []byte("<title>"+title)) {
		return fmt.Errorf("%w: %s answers %d without the title %q", errOther, url, status, title)
	}
	return nil
}

// base is an address without the slash at its end.
func base(url string) string { return strings.TrimSuffix(url, "/") }
