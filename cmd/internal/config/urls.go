package config

import (
	"net/url"
	"strconv"
)

// SiteURL returns the public URL of a host, without a slash at the end; the port is left out when it is 443.
func (c Config) SiteURL(host string) string {
	if c.PublicPort == 443 || c.PublicPort == 0 {
		return "https://" + host
	}
	return "https://" + host + ":" + strconv.Itoa(c.PublicPort)
}

// PanelURL returns the panel's public URL, without a slash at the end.
func (c Config) PanelURL() string { return c.SiteURL(c.Panel.Host) }

// IdentityURL returns the public URL of Keycloak itself, the issuer without its path.
func (c Config) IdentityURL() string {
	u, err := url.Parse(c.Identity.Issuer)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// IdentityHost returns the host name of the issuer, without a port.
func (c Config) IdentityHost() string {
	u, err := url.Parse(c.Identity.Issuer)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// PlatformHosts returns the host names that the platform itself answers at, which no site may take.
func (c Config) PlatformHosts() []string {
	if c.Identity.External {
		return []string{c.Panel.Host}
	}
	return []string{c.Panel.Host, c.IdentityHost()}
}
