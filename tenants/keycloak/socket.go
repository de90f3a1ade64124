package keycloak

import (
	"context"
	"net"
	"net/http"
	"time"
)

// Socket is a transport for a Keycloak that listens on a unix socket on this server. It takes the public https
// addresses, so that issuer, cookies and links stay those that people see, and says by X-Forwarded-* what the proxy
// would say. With it the admin interface needs no way through the proxy.
func Socket(path string) http.RoundTripper {
	plain := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
		MaxIdleConnsPerHost:   4,
		IdleConnTimeout:       30 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
	}
	return socket{plain}
}

type socket struct{ plain *http.Transport }

// RoundTrip sends the request over the socket in plain HTTP.
func (s socket) RoundTrip(request *http.Request) (*http.Response, error) {
	forwarded := request.Clone(request.Context())
	forwarded.Host = request.URL.Host
	forwarded.Header.Set("X-Forwarded-Proto", request.URL.Scheme)
	forwarded.Header.Set("X-Forwarded-Host", request.URL.Host)
	forwarded.Header.Set("X-Forwarded-For", "127.0.0.1")
	forwarded.URL.Scheme = "http"
	return s.plain.RoundTrip(forwarded)
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the connections to the socket.
func (s socket) CloseIdleConnections() { s.plain.CloseIdleConnections() }
