package auth

import (
	"net/netip"
	"strings"
)

// Origin is where a request came from.
type Origin struct {
	Address string
	Agent   string // as the browser tells it
}

// Device is a browser and its platform, all that is stored of the User-Agent header.
type Device struct{ Browser, Platform string }

// unknownDevice stands for anything that is not recognised.
const unknownDevice = "other"

// agentMark maps a part of a User-Agent header to a name; the first match counts, since many browsers name others too.
type agentMark struct{ substring, word string }

var browsers = []agentMark{
	{"Edg/", "edge"}, {"EdgA/", "edge"}, {"EdgiOS/", "edge"}, {"OPR/", "opera"}, {"SamsungBrowser/", "samsung"}, {"Firefox/", "firefox"},
	{"FxiOS/", "firefox"}, {"CriOS/", "chrome"}, {"Chrome/", "chrome"}, {"Chromium/", "chrome"}, {"Safari/", "safari"},
}

var platforms = []agentMark{
	{"iPhone", "iphone"}, {"iPad", "ipad"}, {"Android", "android"}, {"Windows", "windows"}, {"CrOS", "chromebook"}, {"Macintosh", "mac"},
	{"Linux", "linux"},
}

// DeviceOf parses a User-Agent header.
func DeviceOf(agent string) Device {
	return Device{findMark(agent, browsers), findMark(agent, platforms)}
}

func findMark(agent string, marks []agentMark) string {
	for _, m := range marks {
		if strings.Contains(agent, m.substring) {
			return m.word
		}
	}
	return unknownDevice
}

// String returns it as it is stored.
func (d Device) String() string { return d.Browser + "/" + d.Platform }

// ParseDevice reads what String wrote.
func ParseDevice(text string) Device {
	browser, platform, ok := strings.Cut(text, "/")
	if !ok {
		return Device{unknownDevice, unknownDevice}
	}
	return Device{browser, platform}
}

// NetworkOf returns the network of an address: enough to distinguish home from elsewhere, without identifying a person.
// It is a /24 of IPv4 and a /48 of IPv6; "" for an invalid address.
func NetworkOf(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	ip = ip.Unmap().WithZone("")
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}
