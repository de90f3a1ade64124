package config

import "strings"

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
