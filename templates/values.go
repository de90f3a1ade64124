package templates

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// ErrValues is wrapped by errors about values that no site can have.
var ErrValues = errors.New("invalid values for a site")

// Values are what makes one site differ from another of the same template.
type Values struct {
	SiteID string
	UID    int
	Host   string
	// URL is the public address, with the port when it isn't the usual one.
	URL      string
	Database string
	// Mode is one of the template's; the first for the empty name.
	Mode     string
	Language string
	TimeZone string
	Paths    Paths
	// Images are the images in use by container, see [Images].
	Images map[string]string
	// Limits replace those of the container that answers HTTP where they aren't zero.
	Limits Limits
	First  First
}

// First is what only hooks are told, for the installation.
type First struct {
	Title      string
	Locale     string
	AdminUser  string
	AdminEmail string
}

// Paths are the places of one site on the host.
type Paths struct {
	Data     string
	Secrets  string
	HTTP     string
	Gate     string
	Database string
	Resolv   string
	Hosts    string
}

// What the files behind Paths.Resolv and Paths.Hosts hold: siteinit answers
// names on loopback, and nothing else does.
const (
	ResolvConf = "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n"
	HostsFile  = "127.0.0.1\tlocalhost\n::1\tlocalhost\n"
)

// PathsUnder lays out the places of a site below a data root.
func PathsUnder(root, siteID string) Paths {
	return Paths{
		Data:     filepath.Join(root, "sites", siteID, "data"),
		Secrets:  filepath.Join(root, "sites", siteID, "secrets"),
		HTTP:     filepath.Join(root, "run", "app", siteID, "http"),
		Gate:     filepath.Join(root, "run", "app", siteID, "gate"),
		Database: filepath.Join(root, "run", "mariadb-sites", siteID),
		Resolv:   filepath.Join(root, "sites", "resolv.conf"),
		Hosts:    filepath.Join(root, "sites", "hosts"),
	}
}

var (
	siteID   = regexp.MustCompile(`^s[a-z0-9]{9}$`)
	imageID  = regexp.MustCompile(`^(?:sha256:[0-9a-f]{64}|[a-z0-9][A-Za-z0-9./_:@-]{1,300})$`)
	timeZone = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+/-]{1,60}$`)
	locale   = regexp.MustCompile(`^[A-Za-z]{1,8}(?:[_.-][A-Za-z0-9]{1,12}){0,3}$`)
	host     = regexp.MustCompile(`^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$`)
)

func (v Values) check() error {
	faults := []error{
		word("site id", v.SiteID, siteID),
		word("host", v.Host, host),
		word("database", v.Database, identifier),
		word("time zone", v.TimeZone, timeZone),
		word("language", v.Language, locale),
		v.checkURL(),
		v.checkPaths(),
	}
	if v.UID < 1000 {
		faults = append(faults, fmt.Errorf("uid %d belongs to the system", v.UID))
	}
	for _, text := range []string{v.First.Title, v.First.Locale, v.First.AdminUser, v.First.AdminEmail} {
		if strings.ContainsAny(text, "\x00\r\n") {
			faults = append(faults, fmt.Errorf("%q is more than one line", text))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("%w: %w", ErrValues, err)
	}
	return nil
}

func word(what, value string, pattern *regexp.Regexp) error {
	if pattern.MatchString(value) {
		return nil
	}
	return fmt.Errorf("%s %q", what, value)
}

func (v Values) checkURL() error {
	parsed, err := url.Parse(v.URL)
	if err != nil || parsed.Scheme != "https" || parsed.Hostname() != v.Host || parsed.Path != "" || parsed.RawQuery != "" || parsed.User != nil {
		return fmt.Errorf("address %q is not https at %q", v.URL, v.Host)
	}
	return nil
}

func (v Values) checkPaths() error {
	var faults []error
	for _, place := range []string{v.Paths.Data, v.Paths.Secrets, v.Paths.HTTP, v.Paths.Gate, v.Paths.Database, v.Paths.Resolv, v.Paths.Hosts} {
		if !path.IsAbs(place) || path.Clean(place) != place || strings.ContainsAny(place, ":\x00\n") {
			faults = append(faults, fmt.Errorf("path %q is not absolute and clean", place))
		}
	}
	return errors.Join(faults...)
}
