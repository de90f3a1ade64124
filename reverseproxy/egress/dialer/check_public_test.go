package dialer_test

import (
	"errors"
	"net/netip"
	"testing"

	"chatiere/reverseproxy/egress/dialer"
)

func TestAddressesInsideAreRefused(t *testing.T) {
	for _, text := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255",
		"127.0.0.1", "127.66.3.4", "169.254.169.254", "172.16.0.1", "172.31.255.255",
		"192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255",
		"198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::7f00:1", "::a00:1", // unspecified, loopback, v4-compatible
		"::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", // v4-mapped
		"::ffff:0:10.0.0.1",                  // v4-translated
		"64:ff9b::a00:1", "64:ff9b:1::a00:1", // NAT64
		"2002:a00:1::", "2002:7f00:1::1", // 6to4 of 10.0.0.1, 127.0.0.1
		"2001:0:a00:1::f5ff:fffe", "2001:2::1", // Teredo, benchmarking
		"2001:10::1", "2001:db8::1", "3fff::1", // ORCHID, documentation
		"100::1", "fc00::1", "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1",
		"fe80::1%eth0", "2a00:1450::1%eth0",
	} {
		if err := dialer.CheckPublic(netip.MustParseAddr(text)); !errors.Is(err, dialer.ErrNotPublic) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := dialer.CheckPublic(netip.Addr{}); !errors.Is(err, dialer.ErrNotPublic) {
		t.Errorf("no address: %v", err)
	}
}

func TestPublicAddressesPass(t *testing.T) {
	for _, text := range []string{
		"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
		"128.0.0.0", "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255",
		"198.17.255.255", "198.20.0.0", "223.255.255.255", "::ffff:93.184.216.34",
		"2001:200::1", "2a00:1450:4007::1", "2606:4700::1111", "2003::1",
	} {
		if err := dialer.CheckPublic(netip.MustParseAddr(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestPermitsAreReadAndWritten(t *testing.T) {
	for text, want := range map[string]string{
		"Mirror.LAN:443":    "mirror.lan:443",
		"10.0.0.5:8443":     "10.0.0.5:8443",
		"[fd00::5]:443":     "[fd00::5]:443",
		"10.1.2.3/16":       "10.1.0.0/16",
		"fd00::/8":          "fd00::/8",
		"a.example.:80":     "a.example:80",
		"stand-in:9999":     "stand-in:9999",
		"::ffff:10.0.0.5:1": "",
		"10.0.0.5":          "",
		"mirror.lan":        "",
		"mirror.lan:0":      "",
		"mirror.lan:65536":  "",
		"*.lan:443":         "",
		":443":              "",
		"10.0.0.0/33":       "",
		"":                  "",
	} {
		p, err := dialer.ParsePermit(text)
		if want == "" {
			if !errors.Is(err, dialer.ErrPermit) {
				t.Errorf("%q: %v, %v", text, p, err)
			}
			continue
		}
		if err != nil || p.String() != want {
			t.Errorf("%q: %v, %v; want %s", text, p, err, want)
		}
	}
}

func TestAllFaultyPermitsAreReportedTogether(t *testing.T) {
	_, err := dialer.ParsePermits([]string{"one", "ok.example:443", "two"})
	const want = `reading permits "one", "two": expected name:port, address:port or a range such as 10.1.0.0/16`
	if err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

func FuzzRefuse(f *testing.F) {
	for _, text := range []string{"10.0.0.1", "::ffff:127.0.0.1", "2001:db8::1", "1.1.1.1", "fe80::1%a"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, err := netip.ParseAddr(text)
		if err != nil {
			return
		}
		plain := at.WithZone("").Unmap()
		inner := plain.IsPrivate() || plain.IsLoopback() || plain.IsUnspecified() || plain.IsMulticast() ||
			plain.IsLinkLocalUnicast()
		if inner && dialer.CheckPublic(at) == nil {
			t.Errorf("%s passes", at)
		}
	})
}
