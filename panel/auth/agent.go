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

// Device is a browser in two words, which is all that is kept of what it tells of itself.
type Device struct{ Browser, Platform string }

// unknownDevice is what nothing could be made of.
const unknownDevice = "other"

// mark says which sign in a browser's own words means what; the first that is found counts, since many name others too.
type mark struct{ sign, word string }

var browsers = []mark{
	{"Edg/", "edge"}, {"EdgA/", "edge"}, {"EdgiOS/", "edge"}, {"OPR/", "opera"}, {"SamsungBrowser/", "samsung"}, {"Firefox/", "firefox"},
	{"FxiOS/", "firefox"}, {"CriOS/", "chrome"}, {"Chrome/", "chrome"}, {"Chromium/", "chrome"}, {"Safari/", "safari"},
}

var platforms = []mark{
	{"iPhone", "iphone"}, {"iPad", "ipad"}, {"Android", "android"}, {"Windows", "windows"}, {"CrOS", "chromebook"}, {"Macintosh", "mac"},
	{"Linux", "linux"},
}

// DeviceOf reads what a browser tells of itself.
func DeviceOf(agent string) Device { return Device{named(agent, browsers), named(agent, platforms)} }

func named(agent string, marks []mark) string {
	for _, m := range marks {
		if strings.Contains(agent, m.sign) {
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

// NetworkOf returns the network an address lies in: enough to tell home from elsewhere, and not who it is. It is a /24 of
// IPv4 and a /48 of IPv6; "" for what is no address.
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
