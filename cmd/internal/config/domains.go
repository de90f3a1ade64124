package config

import (
	"strings"

	"golang.org/x/net/publicsuffix"
)

// CertificateDomains returns the domains whose names one level below are ours.
func (c Config) CertificateDomains() []string {
	domains := []string{c.Domain}
	for _, host := range c.PlatformHosts() {
		_, parent, _ := strings.Cut(host, ".")
		switch {
		case parent == c.Domain:
		case strings.Contains(parent, ".") && !strings.HasSuffix(c.Domain, "."+host):
			domains = append(domains, parent)
		default:
			// What lies above may be a whole top-level domain, and an authority for one is nothing to have.
			domains = append(domains, host)
		}
	}
	return domains
}

// SharedName returns the registrable name that the sites share with the panel or the sign-in, "" when browsers keep them
// apart. Whoever may set cookies at one host of such a name may set them for all of it.
func (c Config) SharedName() string {
	sites, err := publicsuffix.EffectiveTLDPlusOne(c.Domain)
	if err != nil {
		return "" // the domain is a public suffix itself: each site has a name of its own
	}
	for _, host := range []string{c.Panel.Host, c.IdentityHost()} {
		if name, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil && name == sites {
			return name
		}
	}
	return ""
}
