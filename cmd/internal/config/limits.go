package config

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

const (
	lowestUID = 100000 // below are the machine's own accounts and the platform's
	fewestIDs = 100
	highestID = 1<<31 - 2
)

func checkFirstUID(c *Config) string { return within(c.Sites.FirstUID, lowestUID, highestID) }

func checkLastUID(c *Config) string {
	return within(c.Sites.LastUID, c.Sites.FirstUID+fewestIDs, highestID)
}

func checkCPUs(c *Config) string {
	if !(c.Sites.CPUs >= 0.1 && c.Sites.CPUs <= 64) { // written so that NaN fails
		return fmt.Sprintf("found %v", c.Sites.CPUs)
	}
	return ""
}

func checkPermit(c *Config) string { return each(c.Egress.Permit, permitted) }

// mailPort stays closed to sites: a hacked one would send spam in the co-op's name.
const mailPort = 25

func checkAllow(c *Config) string {
	if problem := each(c.Egress.Allow, allowed); problem != "" {
		return problem
	}
	if problem := each(c.Egress.Allow, func(entry string) bool { return listenPort(entry) != mailPort }); problem != "" {
		return problem + ": port 25 is closed to sites, their mail goes through the relay"
	}
	return ""
}

// each says which entries of a list do not pass.
func each(list []string, ok func(string) bool) string {
	var bad []string
	for _, entry := range list {
		if !ok(entry) {
			bad = append(bad, fmt.Sprintf("%q", entry))
		}
	}
	if bad == nil {
		return ""
	}
	return "found " + strings.Join(bad, ", ")
}

// permitted accepts what may stand in egress.permit: a target with a port, or a range.
func permitted(entry string) bool {
	if _, err := netip.ParsePrefix(entry); err == nil {
		return true
	}
	host, _, err := net.SplitHostPort(entry)
	if err != nil || within(listenPort(entry), 1, 65535) != "" {
		return false
	}
	_, err = netip.ParseAddr(host)
	return err == nil || checkHost(host) == ""
}

// allowed accepts what may stand in egress.allow: a name, never an address.
func allowed(entry string) bool {
	host := entry
	if strings.Contains(entry, ":") {
		name, _, err := net.SplitHostPort(entry)
		if err != nil || within(listenPort(entry), 1, 65535) != "" {
			return false
		}
		host = name
	}
	return checkHost(strings.TrimPrefix(host, "*.")) == ""
}

// Below, a site could eat what is left before anybody looks again; the upper bound catches bytes taken for MiB.
const smallestReserve, largestReserve = 64, 1 << 20

func checkReserve(c *Config) string {
	if c.Disk.ReserveMiB == 0 {
		return ""
	}
	return within(c.Disk.ReserveMiB, smallestReserve, largestReserve)
}
