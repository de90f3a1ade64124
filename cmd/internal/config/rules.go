package config

import (
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	instanceForm = regexp.MustCompile(`^[a-z](-?[a-z0-9])*$`)
	rootForm     = regexp.MustCompile(`^(/[A-Za-z0-9._-]+){2,}$`)
	hostForm     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$`)
	sqlForm      = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)
	clientForm   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)
)

const missing = "missing"

func checkInstance(c *Config) string {
	switch {
	case c.Instance == "":
		return missing
	case !instanceForm.MatchString(c.Instance) || len(c.Instance) > 20:
		return fmt.Sprintf("found %q", c.Instance)
	}
	return ""
}

func checkRoot(c *Config) string {
	if !rootForm.MatchString(c.Root) || filepath.Clean(c.Root) != c.Root {
		return fmt.Sprintf("found %q", c.Root)
	}
	if s := c.Paths().longestSocket(); len(s) > maxSocket {
		return fmt.Sprintf("too long: a site's socket would be %s, %d bytes of at most %d; shorten it by %d",
			s, len(s), maxSocket, len(s)-maxSocket)
	}
	return ""
}

func checkDomain(c *Config) string {
	if c.Domain == "" {
		return missing
	}
	return checkHost(c.Domain)
}

func checkHost(host string) string {
	_, notAName := netip.ParseAddr(host)
	if !hostForm.MatchString(host) || len(host) > 180 || notAName == nil {
		return fmt.Sprintf("found %q", host)
	}
	return ""
}

func checkPublicPort(c *Config) string { return within(c.PublicPort, 1, 65535) }

func checkLanguage(c *Config) string {
	if c.Language != "fr" && c.Language != "en" {
		return fmt.Sprintf("found %q", c.Language)
	}
	return ""
}

func checkCoopName(c *Config) string {
	n := utf8.RuneCountInString(c.Coop.Name)
	if n < 1 || n > 80 || strings.TrimSpace(c.Coop.Name) == "" || strings.ContainsFunc(c.Coop.Name, unicode.IsControl) {
		return fmt.Sprintf("found %q", c.Coop.Name)
	}
	return ""
}

func checkContact(c *Config) string {
	if c.Coop.Contact == "" {
		return ""
	}
	if a, err := mail.ParseAddress(c.Coop.Contact); err != nil || a.Address != c.Coop.Contact {
		return fmt.Sprintf("found %q", c.Coop.Contact)
	}
	return ""
}

func checkPanelHost(c *Config) string {
	if c.Panel.Host == "" {
		return "" // follows from the domain, whose absence is a fault already
	}
	if c.Panel.Host == c.IdentityHost() {
		return fmt.Sprintf("%q is the host of identity.issuer as well", c.Panel.Host)
	}
	if c.Panel.Host == c.Domain {
		return fmt.Sprintf("%q is the sites' domain itself", c.Panel.Host)
	}
	return checkHost(c.Panel.Host)
}

func checkListen(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil || within(listenPort(address), 1, 65535) != "" {
		return fmt.Sprintf("found %q", address)
	}
	if host != "" && host != "localhost" {
		if _, err := netip.ParseAddr(host); err != nil {
			return fmt.Sprintf("found %q", address)
		}
	}
	return ""
}

func checkProxyHTTP(c *Config) string {
	if c.Proxy.HTTP == c.Proxy.HTTPS {
		return fmt.Sprintf("%q is proxy.https as well", c.Proxy.HTTP)
	}
	return checkListen(c.Proxy.HTTP)
}

func checkTLSMode(c *Config) string {
	if c.TLS.Mode != TLSLocalCA && c.TLS.Mode != TLSFiles {
		return fmt.Sprintf("found %q", c.TLS.Mode)
	}
	return ""
}

func checkTLSFile(c *Config, path string) string {
	switch {
	case c.TLS.Mode == TLSFiles && path == "":
		return missing
	case c.TLS.Mode == TLSFiles && !filepath.IsAbs(path):
		return fmt.Sprintf("found %q", path)
	case c.TLS.Mode == TLSLocalCA && path != "":
		return fmt.Sprintf("found %q, which mode local-ca would not use", path)
	}
	return ""
}

func checkSocket(path string) string {
	switch {
	case !filepath.IsAbs(path):
		return fmt.Sprintf("found %q", path)
	case len(path) > maxSocket:
		return fmt.Sprintf("%s has %d bytes, %d too many", path, len(path), len(path)-maxSocket)
	}
	return ""
}

// A socket below a root that is too long is the root's fault, which is reported already.
func checkDatabaseSocket(c *Config) string {
	if c.Database.Socket == c.Paths().MariaDBSocket() {
		return ""
	}
	return checkSocket(c.Database.Socket)
}

func checkSitesSocket(c *Config) string {
	if c.SitesDatabase.Socket == c.Paths().SitesMariaDBSocket() {
		return ""
	}
	return checkSocket(c.SitesDatabase.Socket)
}

func checkSQLName(name string) string {
	if !sqlForm.MatchString(name) {
		return fmt.Sprintf("found %q", name)
	}
	return ""
}

func checkWorkerUser(c *Config) string {
	if c.Database.WorkerUser == c.Database.PanelUser {
		return fmt.Sprintf("%q is panel_user as well", c.Database.WorkerUser)
	}
	return checkSQLName(c.Database.WorkerUser)
}

func checkMigrateUser(c *Config) string {
	if c.Database.MigrateUser == c.Database.PanelUser || c.Database.MigrateUser == c.Database.WorkerUser {
		return fmt.Sprintf("%q is another user as well", c.Database.MigrateUser)
	}
	return checkSQLName(c.Database.MigrateUser)
}

func checkIssuer(c *Config) string {
	if c.Identity.Issuer == "" {
		if c.Domain == "" && !c.Identity.External {
			return ""
		}
		return missing
	}
	u, err := url.Parse(c.Identity.Issuer)
	if err != nil || u.Scheme != "https" || checkHost(u.Hostname()) != "" || u.RawQuery != "" || u.Fragment != "" ||
		u.User != nil || u.Path == "" || strings.HasSuffix(u.Path, "/") {
		return fmt.Sprintf("found %q", c.Identity.Issuer)
	}
	if c.Identity.External {
		return ""
	}
	if u.Path != "/realms/chatiere" {
		return fmt.Sprintf("found %q, whose path is not /realms/chatiere", c.Identity.Issuer)
	}
	if port := portOf(u); port != c.PublicPort {
		return fmt.Sprintf("found %q, whose port is not public_port (%d)", c.Identity.Issuer, c.PublicPort)
	}
	return ""
}

// mostFormer bounds how many former identities one person brings along when entering a site.
const mostFormer = 3

func checkFormer(c *Config) string {
	count := map[string]int{}
	return each(c.Identity.Former, func(entry string) bool {
		issuer, _, now, ok := FormerIdentity(entry)
		count[now]++
		return ok && issuer != c.Identity.Issuer && count[now] <= mostFormer
	})
}

// FormerIdentity takes an entry of identity.former apart.
func FormerIdentity(entry string) (issuer, subject, now string, ok bool) {
	f := strings.Fields(entry)
	if len(f) != 3 {
		return "", "", "", false
	}
	u, err := url.Parse(f[0])
	ok = err == nil && u.Scheme == "https" && u.Host != "" && len(f[0]) <= 255 && len(f[1]) <= 190 && len(f[2]) <= 190
	return f[0], f[1], f[2], ok
}

func portOf(u *url.URL) int {
	if u.Port() == "" {
		return 443
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		return 0
	}
	return port
}

func checkClientID(id string) string {
	if !clientForm.MatchString(id) {
		return fmt.Sprintf("found %q", id)
	}
	return ""
}

func checkAdminClientID(c *Config) string {
	if c.Identity.AdminClientID == "" && c.Identity.External {
		return ""
	}
	if c.Identity.AdminClientID == c.Identity.ClientID {
		return fmt.Sprintf("%q is identity.client_id as well", c.Identity.AdminClientID)
	}
	return checkClientID(c.Identity.AdminClientID)
}

// checkRights keeps paths of groups from being believed of a realm of which nobody knows that it escapes slashes.
func checkRights(c *Config) string {
	if r := c.Identity.Rights; r != c.Identity.rightsFrom() && (r != RightsRoles || !c.Identity.External) {
		return fmt.Sprintf("found %q", r)
	}
	return ""
}

func checkDockerHost(c *Config) string {
	path, ok := strings.CutPrefix(c.Docker.Host, "unix://")
	if !ok {
		return fmt.Sprintf("found %q", c.Docker.Host)
	}
	return checkSocket(path)
}

func within(n, low, high int) string {
	if n < low || n > high {
		return fmt.Sprintf("found %d", n)
	}
	return ""
}

var siteIDForm = regexp.MustCompile(`^s[0-9a-z]{9}$`)

func checkSiteIDs(c *Config) string {
	return each(c.SitesDatabase.TemporaryTables, siteIDForm.MatchString)
}
