// Package origin is the line by which the gateway tells the proxy, on a socket of their own, which site a connection
// comes from and which host it may reach there. It knows nothing else of either. Start at [Origin.Write] and [Read].
package origin

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// ErrLine says that a connection does not begin with the line of an origin.
var ErrLine = errors.New("malformed origin line")

// ErrElsewhere says that a site used the way to its own host for another one.
var ErrElsewhere = errors.New("own name led elsewhere")

const (
	// PlainPort is the port on which the site speaks HTTP without TLS.
	PlainPort = 80
	// maxLine bounds the line; a host name has at most 253 bytes.
	maxLine = 300
)

// Origin is whose connection it is.
type Origin struct {
	Site string // id
	Host string // the site's own name, the only one that the connection leads to
	Port int    // that the site asked for
}

// form is the line. Host names are the gateway's canonical ones.
var form = regexp.MustCompile(`^SITE (s[a-z0-9]{9}) ([a-z0-9.-]{1,253}) ([0-9]{1,5})\n$`)

// Write sends the line.
func (o Origin) Write(to io.Writer) error {
	line := fmt.Sprintf("SITE %s %s %d\n", o.Site, o.Host, o.Port)
	if !form.MatchString(line) {
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
	parts := form.FindStringSubmatch(line)
	if parts == nil {
		return Origin{}, fmt.Errorf("%w: %.80q", ErrLine, line)
	}
	port, err := strconv.ParseUint(parts[3], 10, 16)
	if err != nil || port == 0 {
		return Origin{}, fmt.Errorf("%w: port %q", ErrLine, parts[3])
	}
	return Origin{Site: parts[1], Host: parts[2], Port: int(port)}, nil
}

// Is reports whether a host, as it stands in a Host header or a server name, is the origin's own, on whatever port.
func (o Origin) Is(host string) bool { return canonical(host) == o.Host }

// Name returns the host that was asked for instead, as it can be shown to people; the site's own where that cannot.
func (o Origin) Name(host string) string {
	if name := canonical(host); name != "" && len(name) <= 253 && !strings.ContainsFunc(name, odd) {
		return name
	}
	return o.Host
}

// canonical is a host without port and final dot, in lower case.
func canonical(host string) string {
	if !strings.HasSuffix(host, "]") {
		if i := strings.LastIndexByte(host, ':'); i >= 0 {
			host = host[:i]
		}
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// odd reports whether a character has no place in a name or an address.
func odd(c rune) bool {
	return (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune(".-[]:", c)
}
