// Package dialer connects to a name at public addresses only: it resolves once,
// checks every address, and dials exactly the addresses it checked. It knows nothing
// of sites and their lists. Start at [Dialer.Dial].
package dialer

import (
	"fmt"
	"net/netip"
)

// notPublic lists what no site may reach: the special-purpose registries of IANA,
// whole, and the mechanisms that embed one address in another (NAT64, 6to4,
// Teredo), whole as well since they could carry a private one.
var notPublic = []struct {
	prefix netip.Prefix
	what   string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private"},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared by a carrier"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private"},
	{netip.MustParsePrefix("192.0.0.0/24"), "reserved"},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation"},
	{netip.MustParsePrefix("192.88.99.0/24"), "6to4 relay"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private"},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking"},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},
	{netip.MustParsePrefix("::/128"), "unspecified"},
	{netip.MustParsePrefix("::1/128"), "loopback"},
	{netip.MustParsePrefix("64:ff9b::/96"), "NAT64"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "NAT64"},
	{netip.MustParsePrefix("2001::/32"), "Teredo"},
	{netip.MustParsePrefix("2001::/23"), "reserved"},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation"},
	{netip.MustParsePrefix("2002::/16"), "6to4"},
	{netip.MustParsePrefix("3fff::/20"), "documentation"},
	{netip.MustParsePrefix("fc00::/7"), "private"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
}

// global is the public IPv6 space that has been assigned so far.
var global = netip.MustParsePrefix("2000::/3")

// CheckPublic returns an error that wraps [ErrNotPublic] unless the address is
// public. A v4-mapped address is checked as its IPv4 address.
func CheckPublic(address netip.Addr) error {
	if !address.IsValid() || address.Zone() != "" {
		return fmt.Errorf("%w: %s", ErrNotPublic, address)
	}
	address = address.Unmap()
	for _, r := range notPublic {
		if r.prefix.Contains(address) {
			return fmt.Errorf("%w: %s (%s)", ErrNotPublic, address, r.what)
		}
	}
	if address.Is6() && !global.Contains(address) {
		return fmt.Errorf("%w: %s (not public)", ErrNotPublic, address)
	}
	return nil
}
