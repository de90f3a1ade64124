package dialer_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"chatiere/reverseproxy/egress/dialer"
)

// counter answers every name below "example" and counts the look-ups.
type counter struct{ asked int }

func (c *counter) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	c.asked++
	if host == "missing.test." {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return []netip.Addr{netip.MustParseAddr("93.184.216.34")}, nil
}

func TestAnswersAreKeptForAShortWhile(t *testing.T) {
	now := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	resolver := &counter{}
	r := &dialer.Dialer{
		Resolver: resolver, NetDialer: &lines{up: "93.184.216.34:443"}, CacheTTL: 20 * time.Second, Now: func() time.Time { return now },
	}
	dial := func(name string) { _, _ = r.Dial(t.Context(), name, 443) }
	expect := func(when string, want int) {
		t.Helper()
		if resolver.asked != want {
			t.Errorf("%s: asked %d times, want %d", when, resolver.asked, want)
		}
	}
	dial("a.example")
	dial("a.example")
	expect("at once", 1)
	now = now.Add(21 * time.Second)
	dial("a.example")
	expect("later", 2)
	dial("missing.test")
	dial("missing.test")
	expect("a name that is not there", 3)
	now = now.Add(4 * time.Second)
	dial("missing.test")
	expect("the same a little later", 4)
}

func TestAnAddressThatDoesNotAnswerIsAskedForAnew(t *testing.T) {
	resolver := &counter{}
	r := &dialer.Dialer{Resolver: resolver, NetDialer: &lines{}, CacheTTL: time.Hour}
	for range 2 {
		if _, err := r.Dial(t.Context(), "a.example", 443); !errors.Is(err, dialer.ErrDial) {
			t.Fatal(err)
		}
	}
	if resolver.asked != 2 {
		t.Errorf("asked %d times", resolver.asked)
	}
}

// A site with a wildcard asks for thousands of names.
func TestKeptAnswersAreCheckedAgainAndBounded(t *testing.T) {
	inside := &names{answers: [][]string{{"10.0.0.1"}}}
	r := &dialer.Dialer{Resolver: inside, NetDialer: &lines{}, CacheTTL: time.Hour}
	for range 2 {
		if _, err := r.Dial(t.Context(), "a.example", 443); !errors.Is(err, dialer.ErrNotPublic) {
			t.Errorf("%v", err)
		}
	}
	resolver := &counter{}
	r = &dialer.Dialer{Resolver: resolver, NetDialer: &lines{up: "93.184.216.34:443"}, CacheTTL: time.Hour}
	for n := range 5_000 {
		_, _ = r.Dial(t.Context(), fmt.Sprintf("n%d.example", n), 443)
	}
	if n := r.CacheLen(); n > 1024 {
		t.Errorf("%d answers kept", n)
	}
}
