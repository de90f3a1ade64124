package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"time"
)

// EdgeClient returns an HTTP client that reaches the public names of the platform through the proxy's socket, with TLS
// verified against the system's roots and, if the file is there, the co-op's own authority.
func EdgeClient(socket, authority string) (*http.Client, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	pem, err := os.ReadFile(authority)
	switch {
	case errors.Is(err, fs.ErrNotExist) || authority == "":
	case err != nil:
		return nil, fmt.Errorf("reading authority: %w", err)
	case !roots.AppendCertsFromPEM(pem):
		return nil, fmt.Errorf("reading authority: %s holds no certificate", authority)
	}
	dialer := net.Dialer{Timeout: 5 * time.Second}
	return &http.Client{
		Timeout: askTimeout,
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "unix", socket)
			},
			TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: askTimeout,
			IdleConnTimeout:       30 * time.Second,
			MaxIdleConnsPerHost:   4,
			ForceAttemptHTTP2:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}
