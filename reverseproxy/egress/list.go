package egress

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"chatiere/reverseproxy/hostname"
)

const (
	listFormat = 1
	// oldestFormat is listFormat less one, once there is such a format: roles are upgraded one after the other.
	oldestFormat = 1
	maxAllow     = 500
	maxPorts     = 64
	maxSenders   = 100
)

// List is what one site may reach.
type List struct {
	Format int    `json:"format"`
	Site   string `json:"site"`
	GID    int    `json:"gid"`  // the group the site runs as; its sockets belong to it
	Host   string `json:"host"` // the site's own name, which leads to our proxy
	// Release is the directory, below the site's own, in which the release that visitors reach has its sockets; empty: the
	// site's own.
	Release string        `json:"release,omitempty"`
	Allow   []AllowedName `json:"allow"`
	// Senders are domains that the site may write mail from, beside its own name and what every site may.
	Senders  []string `json:"senders,omitempty"`
	Checksum string   `json:"checksum"` // written by [EncodeList]
}

// AllowedName is a name, or a wildcard such as "*.wordpress.org", with its ports.
type AllowedName struct {
	Name  string `json:"name"`
	Ports []int  `json:"ports"`
}

var (
	siteID     = regexp.MustCompile(`^s[a-z0-9]{9}$`)
	releaseDir = regexp.MustCompile(`^r[1-9][0-9]{0,8}$`)
)

// Validate reports the first fault of a list.
func (l List) Validate() error {
	switch {
	case l.Format < oldestFormat || l.Format > listFormat:
		return fmt.Errorf("%w: format %d, expected %d to %d", ErrList, l.Format, oldestFormat, listFormat)
	case !siteID.MatchString(l.Site):
		return fmt.Errorf("%w: site %q, expected an id such as s7k2m9qx4p", ErrList, l.Site)
	case l.Release != "" && !releaseDir.MatchString(l.Release):
		return fmt.Errorf("%w: release %q, expected a directory such as r2", ErrList, l.Release)
	case l.GID <= 0:
		return fmt.Errorf("%w: gid %d, expected the site's group", ErrList, l.GID)
	case len(l.Allow) > maxAllow:
		return fmt.Errorf("%w: %d names, at most %d", ErrList, len(l.Allow), maxAllow)
	case len(l.Senders) > maxSenders:
		return fmt.Errorf("%w: %d senders, at most %d", ErrList, len(l.Senders), maxSenders)
	}
	for _, domain := range l.Senders {
		if name, ok := hostname.Public(domain); !ok || name != domain {
			return fmt.Errorf("%w: sender %q, expected a domain in lower case", ErrList, domain)
		}
	}
	if host, ok := hostname.Public(l.Host); !ok || host != l.Host {
		return fmt.Errorf("%w: host %q, expected a name in lower case", ErrList, l.Host)
	}
	for _, a := range l.Allow {
		if err := a.validate(); err != nil {
			return err
		}
	}
	return nil
}

func (a AllowedName) validate() error {
	base := strings.TrimPrefix(a.Name, wildcard)
	if name, ok := hostname.Public(base); !ok || name != base {
		return fmt.Errorf("%w: name %q, expected one such as api.wordpress.org or *.wordpress.org", ErrList, a.Name)
	}
	if len(a.Ports) == 0 || len(a.Ports) > maxPorts {
		return fmt.Errorf("%w: name %s has %d ports, expected 1 to %d", ErrList, a.Name, len(a.Ports), maxPorts)
	}
	for _, port := range a.Ports {
		if port < 1 || port > 65535 {
			return fmt.Errorf("%w: name %s has port %d", ErrList, a.Name, port)
		}
		if port == mailPort {
			return fmt.Errorf("%w: name %s: %w", ErrList, a.Name, ErrMailPort)
		}
	}
	return nil
}

// Equal tells whether two lists say the same, whatever their checksums.
func (l List) Equal(other List) bool {
	return l.Site == other.Site && l.GID == other.GID && l.Host == other.Host && l.Release == other.Release && slices.Equal(l.Senders, other.Senders) &&
		slices.EqualFunc(l.Allow, other.Allow, func(a, b AllowedName) bool {
			return a.Name == b.Name && slices.Equal(a.Ports, b.Ports)
		})
}

// Decide returns nil if the list has the name with the port.
func (l List) Decide(name string, port uint16) error {
	err := ErrNotListed
	for _, a := range l.Allow {
		if !matches(a.Name, name) {
			continue
		}
		if slices.Contains(a.Ports, int(port)) {
			return nil
		}
		err = ErrPortNotListed
	}
	return err
}

// Ports returns where the list has the name, in order, each port once.
func (l List) Ports(name string) []int {
	var out []int
	for _, a := range l.Allow {
		if matches(a.Name, name) {
			out = append(out, a.Ports...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// EncodeList validates a list and writes it with its format and checksum.
func EncodeList(l List) ([]byte, error) {
	l.Format = listFormat
	if l.Allow == nil {
		l.Allow = []AllowedName{}
	}
	if err := l.Validate(); err != nil {
		return nil, err
	}
	l.Checksum = ""
	text, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("encoding %w: %w", ErrList, err)
	}
	if l.Checksum, err = checksum(text, ""); err != nil {
		return nil, err
	}
	if text, err = json.MarshalIndent(l, "", " "); err != nil {
		return nil, fmt.Errorf("encoding %w: %w", ErrList, err)
	}
	return append(text, '\n'), nil
}

// DecodeList reads what [EncodeList] wrote, of this version of the program or another: fields it does not know are
// ignored, and covered by the checksum like the others.
func DecodeList(text []byte) (List, error) {
	var l List
	if err := json.Unmarshal(text, &l); err != nil {
		return List{}, fmt.Errorf("decoding %w: %w", ErrList, err)
	}
	sum, err := checksum(text, l.Checksum)
	if err != nil {
		return List{}, err
	}
	if sum != l.Checksum {
		return List{}, fmt.Errorf("decoding %w of %q: %w", ErrList, l.Site, ErrChecksum)
	}
	return l, l.Validate()
}

// checksum is taken over the list's JSON without spaces, with an empty checksum in the place of the one it has.
func checksum(text []byte, has string) (string, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return "", fmt.Errorf("encoding %w: %w", ErrList, err)
	}
	const field = `"checksum":"`
	blank := bytes.Replace(compact.Bytes(), []byte(field+has+`"`), []byte(field+`"`), 1)
	sum := sha256.Sum256(blank)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
