// Package origin encodes and decodes the line with which the gateway tells the proxy, on a socket between the two, which
// site a connection comes from and which host it may reach. It knows nothing else of either. Start at [Origin.Write] and
// [Read].
package origin

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"chatiere/reverseproxy/hostname"
)

// ErrLine means that a connection does not begin with an origin line.
var ErrLine = errors.New("malformed origin line")

// ErrElsewhere means that a site used the connection to its own host for another host.
var ErrElsewhere = errors.New("own name led elsewhere")

const (
	// PlainPort is the port on which the site speaks HTTP without TLS.
	PlainPort = 80
	// maxLine bounds the line; a host name has at most 253 bytes.
	maxLine = 300
)

// Origin identifies the site that a connection comes from.
type Origin struct {
	Site string // id
	Host string // the site's own name, the only host it may reach on this connection
	Port int    // that the site asked for
}

// lineRE matches the line. Host names are canonical, as the gateway writes them.
var lineRE = regexp.MustCompile(`^SITE (s[a-z0-9]{9}) ([a-z0-9.-]{1,253}) ([0-9]{1,5})\n$`)

// Write sends the line.
func (o Origin) Write(to io.Writer) error {
	line := fmt.Sprintf("SITE %s %s %d\n", o.Site, o.Host, o.Port)
	if !lineRE.MatchString(line) {
		return fmt.Errorf("%w: %.80q", ErrLine, line)
	}
	_, err := io.WriteString(to, line)
	return err
}

// Read reads the line and not a byte more: what follows is the site's. A read for each byte is slow, but there are some
// fifty of them in the life of a connection.
func Read(from io.Reader) (Origin, error) {
	line := make([]byte, 0, 64)
	for len(line) < maxLine {
		line = append(line, 0)
		if _, err := io.ReadFull(from, line[len(line)-1:]); err != nil {
			return Origin{}, fmt.Errorf("%w: %w", ErrLine, err)
		}
		if line[len(line)-1] == '\n' {
			return parse(string(line))
		}
	}
	return Origin{}, fmt.Errorf("%w: too long", ErrLine)
}

func parse(line string) (Origin, error) {
	parts := lineRE.FindStringSubmatch(line)
	if parts == nil {
		return Origin{}, fmt.Errorf("%w: %.80q", ErrLine, line)
	}
	port, err := strconv.ParseUint(parts[3], 10, 16)
	if err != nil || port == 0 {
		return Origin{}, fmt.Errorf("%w: port %q", ErrLine, parts[3])
	}
	return Origin{Site: parts[1], Host: parts[2], Port: int(port)}, nil
}

// Is reports whether a host from a Host header or a TLS server name is the origin's own, on any port.
func (o Origin) Is(host string) bool {
	name, ok := hostname.FromAuthority(host)
	return ok && name == o.Host
}

// Name returns the host that was asked for instead, as it can be shown to people; the site's own where that cannot.
func (o Origin) Name(host string) string {
	if name, ok := hostname.FromAuthority(host); ok {
		return name
	}
	literal, _, _ := strings.Cut(strings.TrimPrefix(host, "["), "]")
	if address, err := netip.ParseAddr(literal); err == nil {
		return "[" + address.WithZone("").String() + "]"
	}
	return o.Host
}
