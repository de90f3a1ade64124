package routes

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"chatiere/reverseproxy/hostname"
)

const (
	maxRoutes      = 100_000
	maxPatterns    = 256
	maxCookies     = 64
	maxCookieName  = 64
	maxPattern     = 1024
	maxSocketPath  = 107 // sun_path less its terminating zero
	unixScheme     = "unix:"
	maxNamedFaults = 20
	maxPlaces      = 4096
	maxBody        = 1 << 20 // such bodies are held in memory
)

// Validate reports every fault of the table at once, each with the route it stands in.
func (t Table) Validate() error {
	var faults []error
	if t.Version < 1 {
		faults = append(faults, fmt.Errorf("version %d: must be at least 1", t.Version))
	}
	if t.Written.IsZero() {
		faults = append(faults, errors.New("written: missing"))
	}
	if t.PublicPort < 1 || t.PublicPort > 65535 {
		faults = append(faults, fmt.Errorf("public_port %d: must lie between 1 and 65535", t.PublicPort))
	}
	if len(t.Routes) > maxRoutes {
		faults = append(faults, fmt.Errorf("%d routes: at most %d", len(t.Routes), maxRoutes))
	}
	faults = append(faults, routeFaults(t.Routes)...)
	if len(faults) == 0 {
		return nil
	}
	if more := len(faults) - maxNamedFaults; more > 0 {
		faults = append(faults[:maxNamedFaults], fmt.Errorf("and %d more", more))
	}
	return fmt.Errorf("%w: %w", ErrInvalid, errors.Join(faults...))
}

func routeFaults(routes []Route) []error {
	var faults []error
	seen := make(map[string]struct{}, len(routes))
	patterns := make(map[string]error)
	for i, route := range routes {
		if _, twice := seen[route.Host]; twice {
			faults = append(faults, fmt.Errorf("route %d (%.80q): host appears twice", i, route.Host))
		}
		seen[route.Host] = struct{}{}
		if err := route.validate(patterns); err != nil {
			faults = append(faults, fmt.Errorf("route %d (%.80q): %w", i, route.Host, err))
		}
	}
	return faults
}

// validate checks one route. Sites of one template share their patterns, so results are remembered.
func (r Route) validate(patterns map[string]error) error {
	if host, ok := hostname.Canonical(r.Host); !ok || host != r.Host {
		return fmt.Errorf("%w: expected a lower-case name such as demo.example.org", ErrHost)
	}
	if !isToken(r.Site, 64) || r.Site == "" {
		return fmt.Errorf("site %.80q: expected 1 to 64 letters, digits, - or _", r.Site)
	}
	if !isToken(r.Lang, 16) {
		return fmt.Errorf("lang %.80q: expected a tag such as fr", r.Lang)
	}
	if !r.State.Valid() {
		return fmt.Errorf("state %.80q: expected serving, starting, asleep, down or refused", r.State)
	}
	if r.Places < 0 || r.Places > maxPlaces {
		return fmt.Errorf("places %d: must lie between 0 and %d", r.Places, maxPlaces)
	}
	if r.MaxBody < 0 || r.MaxBody > maxBody {
		return fmt.Errorf("max_body %d: must lie between 0 and %d", r.MaxBody, maxBody)
	}
	if err := r.validateUpstream(); err != nil {
		return err
	}
	if err := r.validateCookies(); err != nil {
		return err
	}
	return validatePatterns(r.Refuse, patterns)
}

func (r Route) validateCookies() error {
	if r.SharedDomain != "" && !strings.HasSuffix(r.Host, "."+r.SharedDomain) {
		return fmt.Errorf("shared_domain %.80q: expected a name above the host", r.SharedDomain)
	}
	if len(r.Cookies) > maxCookies {
		return fmt.Errorf("cookies: %d names, at most %d", len(r.Cookies), maxCookies)
	}
	for _, name := range r.Cookies {
		if name := strings.TrimSuffix(name, "*"); name == "" || !isToken(name, maxCookieName) {
			return fmt.Errorf("cookies: %.80q, expected letters, digits, - or _, and * at the end", name)
		}
	}
	return nil
}

func (r Route) validateUpstream() error {
	if r.Upstream == "" && r.State != StateServing {
		return nil
	}
	socket, ok := strings.CutPrefix(r.Upstream, unixScheme)
	switch {
	case !ok || !path.IsAbs(socket) || path.Clean(socket) != socket || socket == "/":
		return fmt.Errorf("upstream %.200q: expected unix: and a clean absolute path", r.Upstream)
	case strings.IndexByte(socket, 0) >= 0:
		return fmt.Errorf("upstream %.200q: holds a zero byte", r.Upstream)
	case len(socket) > maxSocketPath:
		return fmt.Errorf("upstream %.200q: path of %d bytes, a socket takes %d", r.Upstream, len(socket), maxSocketPath)
	}
	return nil
}

func validatePatterns(patterns []string, known map[string]error) error {
	if len(patterns) > maxPatterns {
		return fmt.Errorf("refuse: %d patterns, at most %d", len(patterns), maxPatterns)
	}
	for _, pattern := range patterns {
		err, seen := known[pattern]
		if !seen {
			err = validatePattern(pattern)
			known[pattern] = err
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func validatePattern(pattern string) error {
	if pattern == "" || len(pattern) > maxPattern {
		return fmt.Errorf("refuse: pattern of %d bytes, expected 1 to %d", len(pattern), maxPattern)
	}
	if _, err := regexp.Compile(pattern); err != nil {
		return fmt.Errorf("refuse: %w", err)
	}
	return nil
}

// isToken reports whether s is short and harmless in a log line or a file name.
func isToken(s string, limit int) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return len(s) <= limit
}
