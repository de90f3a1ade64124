package routes

import (
	"fmt"
	"strings"
)

const (
	maxHost  = 253
	maxLabel = 63
)

// NormalHost returns the form under which a host is looked up: without port and trailing dot, in
// lower case. It accepts what a Host header or an HTTP/2 authority may hold and refuses everything
// that cannot be the name of a route: addresses in brackets, user names, letters outside ASCII.
func NormalHost(authority string) (string, error) {
	host, err := withoutPort(authority)
	if err != nil {
		return "", err
	}
	host = strings.TrimSuffix(host, ".")
	lower, ok := checkHost(host)
	if !ok {
		return "", fmt.Errorf("%w: %.80q", ErrHost, authority)
	}
	if lower {
		return host, nil
	}
	return strings.ToLower(host), nil
}

func withoutPort(authority string) (string, error) {
	host, port, found := strings.Cut(authority, ":")
	if !found {
		return authority, nil
	}
	if len(port) > 5 {
		return "", fmt.Errorf("%w: %.80q has no valid port", ErrHost, authority)
	}
	for i := range len(port) {
		if port[i] < '0' || port[i] > '9' {
			return "", fmt.Errorf("%w: %.80q has no valid port", ErrHost, authority)
		}
	}
	return host, nil
}

// checkHost reports whether host consists of sound labels, and whether it is in lower case already.
func checkHost(host string) (lower, ok bool) {
	if host == "" || len(host) > maxHost {
		return false, false
	}
	lower = true
	start := 0
	for i := 0; i <= len(host); i++ {
		if i == len(host) || host[i] == '.' {
			if !checkLabel(host[start:i]) {
				return false, false
			}
			start = i + 1
			continue
		}
		if host[i] >= 'A' && host[i] <= 'Z' {
			lower = false
		}
	}
	return lower, true
}

func checkLabel(label string) bool {
	if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for i := range len(label) {
		c := label[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
