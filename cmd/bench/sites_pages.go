package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"time"

	"chatiere/cmd/internal/testbed"
	"chatiere/panel/api"
)

// pageFigure is how long the panel took for a page, as a browser on the same machine sees it: the proxy and TLS included.
type pageFigure struct {
	path         string
	bytes        int
	middle, most time.Duration // median and 95th percentile
}

// requestsPerPage is how often each page is asked for.
const requestsPerPage = 60

func (s *sites) measurePages(ctx context.Context) ([]pageFigure, error) {
	if err := s.signIn(ctx); err != nil {
		return nil, fmt.Errorf("entering the panel: %w", err)
	}
	there, err := s.list(ctx)
	if err != nil {
		return nil, err
	}
	site := there[len(there)/2]
	var ops api.List[api.Operation]
	if err := s.Panel.Get(ctx, api.Prefix+api.PathOperations, &ops); err != nil {
		return nil, err
	}
	paths := []string{
		"/", "/sites", "/sites/" + site.ID, "/sites/new", "/associations", "/associations/" + s.Summary.Association,
		"/operations/" + ops.Items[0].ID, "/bin", "/account",
	}
	took := map[string][]time.Duration{}
	size := map[string]int{}
	for range requestsPerPage {
		for _, path := range paths {
			began := time.Now()
			status, body, err := testbed.Page(ctx, s.web, s.Summary.PanelURL+path)
			if err == nil && status != http.StatusOK {
				err = fmt.Errorf("%w: %s answers %d", errOther, path, status)
			}
			if err != nil {
				return nil, err
			}
			took[path], size[path] = append(took[path], time.Since(began)), len(body)
		}
	}
	var out []pageFigure
	for _, path := range paths {
		sorted := slices.Sorted(slices.Values(took[path]))
		out = append(out, pageFigure{
			path: strings.NewReplacer(site.ID, "…", ops.Items[0].ID, "…").Replace(path), bytes: size[path],
			middle: sorted[len(sorted)/2], most: sorted[len(sorted)*95/100],
		})
	}
	return out, nil
}

// signIn opens an administrator's session by a break-glass link.
func (s *sites) signIn(ctx context.Context) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	s.web.Jar = jar
	var link api.BreakGlassLink
	if err := s.Panel.Post(ctx, api.Prefix+api.PathBreakGlass, nil, "", &link); err != nil {
		return err
	}
	u, err := url.Parse(link.URL)
	if err != nil {
		return err
	}
	form := url.Values{"key": {u.Query().Get("key")}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Summary.PanelURL+"/break-glass", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := s.web.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusSeeOther {
		return fmt.Errorf("%w: the link answers %d", errOther, res.StatusCode)
	}
	return nil
}
