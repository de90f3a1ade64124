package config

import "strings"

// CertificateDomains returns the domains whose names one level below are ours.
func (c Config) CertificateDomains() []string {
	domains := []string{c.Domain}
	for _, host := range c.PlatformHosts() {
		_, parent, _ := strings.Cut(host, ".")
		switch {
		case parent == c.Domain:
		case strings.Contains(parent, "."):
			domains = append(domains, parent)
		default:
			domains = append(domains, host) // an authority for a whole top-level domain is nothing to have
		}
	}
	return domains
}
