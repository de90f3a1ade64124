package dialer_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"

	"chatiere/reverseproxy/egress/dialer"
)

// names answers each look-up with the next of its answers.
type names struct {
	answers [][]string
	asked   []string
}

func (n *names) LookupNetIP(_ context.Context, network, host string) ([]netip.Addr, error) {
	n.asked = append(n.asked, network+" "+host)
	if len(n.answers) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	var out []netip.Addr
	for _, text := range n.answers[0] {
		out = append(out, netip.MustParseAddr(text))
	}
	n.answers = n.answers[1:]
	return out, nil
}

var errDown = errors.New("down")

// lines remembers what was dialled; only up answers.
type lines struct {
	up     string
	dialed []string
}

func (l *lines) DialContext(_ context.Context, network, address string) (net.Conn, error) {
	l.dialed = append(l.dialed, network+" "+address)
	if address != l.up {
		return nil, errDown
	}
	here, there := net.Pipe()
	_ = there.Close()
	return here, nil
}

func permits(t *testing.T, texts ...string) []dialer.Permit {
	t.Helper()
	out, err := dialer.ParsePermits(texts)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheNameIsResolvedOnceAndTheCheckedAddressDialled(t *testing.T) {
	// A hostile server answers the second look-up with an address inside.
	resolver := &names{answers: [][]string{{"93.184.216.34"}, {"127.0.0.1"}}}
	fake := &lines{up: "93.184.216.34:443"}
	r := dialer.Dialer{Resolver: resolver, NetDialer: fake}
	if _, err := r.Dial(t.Context(), "rebind.example", 443); err != nil {
		t.Fatal(err)
	}
	if want := []string{"tcp 93.184.216.34:443"}; !slices.Equal(fake.dialed, want) {
		t.Errorf("dialled %q", fake.dialed)
	}
	if want := []string{"ip rebind.example."}; !slices.Equal(resolver.asked, want) {
		t.Errorf("asked %q", resolver.asked)
	}
	if _, err := r.Dial(t.Context(), "rebind.example", 443); !errors.Is(err, dialer.ErrNotPublic) {
		t.Errorf("second answer: %v", err)
	}
	if len(fake.dialed) != 1 {
		t.Errorf("dialled %q", fake.dialed)
	}
}

func TestOfMixedAnswersOnlyPublicAddressesAreDialled(t *testing.T) {
	resolver := &names{answers: [][]string{{"10.0.0.1", "::ffff:127.0.0.1", "1.1.1.1", "fe80::1", "2606:4700::1"}}}
	fake := &lines{}
	r := dialer.Dialer{Resolver: resolver, NetDialer: fake}
	_, err := r.Dial(t.Context(), "mixed.example", 80)
	if !errors.Is(err, dialer.ErrDial) || !errors.Is(err, errDown) {
		t.Errorf("%v", err)
	}
	if want := []string{"tcp 1.1.1.1:80", "tcp [2606:4700::1]:80"}; !slices.Equal(fake.dialed, want) {
		t.Errorf("dialled %q", fake.dialed)
	}
}

func TestFamiliesAreTriedInTurn(t *testing.T) {
	resolver := &names{answers: [][]string{{"2606:4700::1", "2606:4700::2", "1.1.1.1", "1.1.1.2"}}}
	fake := &lines{up: "1.1.1.1:443"}
	r := dialer.Dialer{Resolver: resolver, NetDialer: fake}
	if _, err := r.Dial(t.Context(), "two.example", 443); err != nil {
		t.Fatal(err)
	}
	if want := []string{"tcp [2606:4700::1]:443", "tcp 1.1.1.1:443"}; !slices.Equal(fake.dialed, want) {
		t.Errorf("dialled %q", fake.dialed)
	}
}

func TestPermitsOpenWhatTheyNameAndNoMore(t *testing.T) {
	for _, c := range []struct {
		permit, name, address string
		port                  uint16
		opens                 bool
	}{
		{"mirror.lan:443", "mirror.lan", "10.0.0.5", 443, true},
		{"mirror.lan:443", "mirror.lan", "10.0.0.5", 80, false},
		{"mirror.lan:443", "other.lan", "10.0.0.5", 443, false},
		{"mirror.lan:443", "a.mirror.lan", "10.0.0.5", 443, false},
		{"10.0.0.5:443", "any.example", "10.0.0.5", 443, true},
		{"10.0.0.5:443", "any.example", "::ffff:10.0.0.5", 443, true},
		{"10.0.0.5:443", "any.example", "10.0.0.6", 443, false},
		{"10.0.0.5:443", "any.example", "10.0.0.5", 22, false},
		{"10.1.0.0/16", "any.example", "10.1.200.3", 9000, true},
		{"10.1.0.0/16", "any.example", "10.2.0.1", 9000, false},
		{"[fd00::5]:443", "any.example", "fd00::5", 443, true},
	} {
		at := net.JoinHostPort(netip.MustParseAddr(c.address).Unmap().String(), "443")
		fake := &lines{up: at}
		if c.port != 443 {
			fake.up = netip.AddrPortFrom(netip.MustParseAddr(c.address).Unmap(), c.port).String()
		}
		r := dialer.Dialer{
			Permits: permits(t, c.permit), Resolver: &names{answers: [][]string{{c.address}}}, NetDialer: fake,
		}
		_, err := r.Dial(t.Context(), c.name, c.port)
		if c.opens && err != nil || !c.opens && !errors.Is(err, dialer.ErrNotPublic) {
			t.Errorf("%s, asking for %s:%d at %s: %v", c.permit, c.name, c.port, c.address, err)
		}
		if !c.opens && len(fake.dialed) > 0 {
			t.Errorf("%s: dialled %q", c.permit, fake.dialed)
		}
	}
}

func TestANameWithoutAddressIsSaidSo(t *testing.T) {
	for _, resolver := range []*names{{}, {answers: [][]string{{}}}} {
		r := dialer.Dialer{Resolver: resolver, NetDialer: &lines{}}
		if _, err := r.Dial(t.Context(), "nowhere.example", 443); !errors.Is(err, dialer.ErrResolve) {
			t.Errorf("%v", err)
		}
	}
}
