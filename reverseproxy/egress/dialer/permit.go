package dialer

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Permit is one exception to [CheckPublic], configured by the co-op's admins: a name
// or an address with a port, or a whole range. It never extends a site's list.
type Permit struct {
	name   string       // lower case, or empty
	prefix netip.Prefix // where name is empty
	port   uint16       // 0: every port
}

// ParsePermit reads "mirror.lan:443", "10.0.0.5:8443", "[fd00::5]:443" or
// "10.1.0.0/16".
func ParsePermit(text string) (Permit, error) {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return Permit{prefix: prefix.Masked()}, nil
	}
	host, portText, err := net.SplitHostPort(text)
	if err != nil {
		return Permit{}, fmt.Errorf("reading permit %q: %w", text, ErrPermit)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 || host == "" || strings.ContainsAny(host, "*/ ") {
		return Permit{}, fmt.Errorf("reading permit %q: %w", text, ErrPermit)
	}
	if address, err := netip.ParseAddr(host); err == nil {
		address = address.Unmap()
		return Permit{prefix: netip.PrefixFrom(address, address.BitLen()), port: uint16(port)}, nil
	}
	return Permit{name: strings.ToLower(strings.TrimSuffix(host, ".")), port: uint16(port)}, nil
}

// ParsePermits reads a list and reports every fault in it.
func ParsePermits(texts []string) ([]Permit, error) {
	var permits []Permit
	var faults []string
	for _, text := range texts {
		p, err := ParsePermit(text)
		if err != nil {
			faults = append(faults, strconv.Quote(text))
			continue
		}
		permits = append(permits, p)
	}
	if faults != nil {
		return nil, fmt.Errorf("reading permits %s: %w", strings.Join(faults, ", "), ErrPermit)
	}
	return permits, nil
}

// String returns the form that [ParsePermit] reads.
func (p Permit) String() string {
	switch {
	case p.name != "":
		return net.JoinHostPort(p.name, strconv.Itoa(int(p.port)))
	case p.port != 0:
		return netip.AddrPortFrom(p.prefix.Addr(), p.port).String()
	}
	return p.prefix.String()
}

func (p Permit) covers(name string, port uint16, address netip.Addr) bool {
	if p.port != 0 && p.port != port {
		return false
	}
	if p.name != "" {
		return p.name == name
	}
	return p.prefix.Contains(address)
}
