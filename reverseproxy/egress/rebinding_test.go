package egress_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"chatiere/reverseproxy/egress"
	"chatiere/reverseproxy/egress/spool"
)

// zone is a DNS server whose answers the test changes, with a TTL of 0.
type zone struct {
	mu      sync.Mutex
	answers []netip.Addr
	conn    net.PacketConn
}

func newZone(t *testing.T) *zone {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	z := &zone{conn: conn}
	go z.serve()
	return z
}

func (z *zone) say(texts ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.answers = nil
	for _, text := range texts {
		z.answers = append(z.answers, netip.MustParseAddr(text))
	}
}

func (z *zone) serve() {
	buffer := make([]byte, 1500)
	for {
		n, from, err := z.conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buffer[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		m.Response, m.Authoritative, m.Additionals = true, true, nil
		z.mu.Lock()
		for _, a := range z.answers {
			h := dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET}
			switch {
			case a.Is4() && m.Questions[0].Type == dnsmessage.TypeA:
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
			case a.Is6() && m.Questions[0].Type == dnsmessage.TypeAAAA:
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
			}
		}
		z.mu.Unlock()
		if reply, err := m.Pack(); err == nil {
			_, _ = z.conn.WriteTo(reply, from)
		}
	}
}

func (z *zone) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", z.conn.LocalAddr().String())
	}}
}

// A resolver in hostile hands answers something else each time, by real DNS.
func TestANameThatTurnsInwardsIsRefusedWhateverItAnsweredBefore(t *testing.T) {
	at, z := echo(t), newZone(t)
	h := newHouse(t, func(o *egress.Options) {
		o.Resolver, o.CacheTTL = z.resolver(), time.Nanosecond
		var err error
		if o.Permit, err = egress.ParsePermits([]string{at.String()}); err != nil { // one address, which stands for outside
			t.Fatal(err)
		}
	})
	h.open(t, egress.AllowedName{Name: "rebind.example", Ports: []int{int(at.Port())}})
	target := "rebind.example:" + strconv.Itoa(int(at.Port()))
	for _, c := range []struct {
		answers []string
		want    int
	}{
		{[]string{"127.0.0.1"}, http.StatusOK},
		{[]string{"127.0.0.2"}, http.StatusForbidden},
		{[]string{"169.254.169.254"}, http.StatusForbidden},
		{[]string{"::1", "fd00::1", "fe80::1"}, http.StatusForbidden},
		{[]string{"::ffff:10.0.0.1"}, http.StatusForbidden},
		{[]string{"64:ff9b::a00:1", "2002:a00:1::1", "10.0.0.1"}, http.StatusForbidden},
		{[]string{"ff02::1", "224.0.0.1", "0.0.0.0", "::"}, http.StatusForbidden},
		{[]string{"10.0.0.1", "127.0.0.1", "::1"}, http.StatusOK}, // by the one that is not inside
		{nil, http.StatusBadGateway},
	} {
		z.say(c.answers...)
		conn, reader, status := h.connect(t, target)
		if status != c.want {
			t.Errorf("%v: %d, want %d", c.answers, status, c.want)
		}
		if status == http.StatusOK {
			_, _ = io.WriteString(conn, "x")
			if b, err := reader.ReadByte(); err != nil || b != 'x' {
				t.Errorf("%v: %q, %v", c.answers, b, err)
			}
		}
		_ = conn.Close()
	}
	h.entry(t, "rebind.example", func(e spool.Entry) bool { return e.Decision == spool.Refused && e.Reason == "address not public" })
}

// IPv6 that does not answer costs one attempt: the name is reached by its IPv4 address.
func TestABrokenFamilyOfAddressesDoesNotKeepANameAway(t *testing.T) {
	at, z := echo(t), newZone(t)
	z.say("2001:4860:4860::8888", "127.0.0.1")
	dialled := families{to: at.String()}
	h := newHouse(t, func(o *egress.Options) {
		o.Resolver, o.Dialer = z.resolver(), dialled
		var err error
		if o.Permit, err = egress.ParsePermits([]string{at.String()}); err != nil {
			t.Fatal(err)
		}
	})
	h.open(t, egress.AllowedName{Name: "both.example", Ports: []int{int(at.Port())}})
	if _, _, status := h.connect(t, "both.example:"+strconv.Itoa(int(at.Port()))); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
}

// families has no IPv6.
type families struct{ to string }

func (f families) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if netip.MustParseAddrPort(address).Addr().Is6() {
		return nil, &net.OpError{Op: "dial", Net: network, Err: context.DeadlineExceeded}
	}
	return new(net.Dialer).DialContext(ctx, network, f.to)
}
