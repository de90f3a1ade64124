// Package apiclient is a client of the panel's API: over the local socket on the server, or over HTTPS with a token.
package apiclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"chatiere/panel/api"
)

var (
	// ErrNoPanel: no running panel was found, or it does not answer.
	ErrNoPanel = errors.New("no panel answers")
	// ErrManyPanels: several run on this machine and none was named.
	ErrManyPanels = errors.New("several panels run here")
)

// Client speaks to one panel.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// requestTimeout is longer than any response of the panel takes, long polls included.
const requestTimeout = 90 * time.Second

// OverSocket returns a client of the panel at a local socket.
func OverSocket(path string) *Client {
	return &Client{base: "http://panel", http: overSocket(path, requestTimeout)}
}

// overSocket returns an HTTP client that reaches a local socket, whatever the address of a request says.
func overSocket(path string, timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
}

// OverHTTPS returns a client of the panel at a public URL. Names below .localhost lead to this machine, as in browsers,
// whatever its resolver says; caFile may name a certificate authority to trust besides the system's.
func OverHTTPS(address, token, caFile string) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("panel address %q: expected https://panel.example.org", address)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("reading the system's certificate authorities: %w", err)
	}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate authority: %w", err)
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading the certificate authority: %s holds no certificate", caFile)
		}
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DialContext: dialLocalhost,
	}
	return &Client{base: strings.TrimSuffix(address, "/"), token: token, http: &http.Client{Timeout: requestTimeout, Transport: transport}}, nil
}

func dialLocalhost(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err == nil && strings.HasSuffix(host, ".localhost") {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// Get requests a path below the API's prefix.
func (c *Client) Get(ctx context.Context, path string, into any) error {
	return c.do(ctx, http.MethodGet, path, nil, "", into)
}

// Post sends a request. With an idempotency key, sending it twice has one effect; "" for none.
func (c *Client) Post(ctx context.Context, path string, body any, key string, into any) error {
	return c.do(ctx, http.MethodPost, path, body, key, into)
}

// Delete deletes a resource.
func (c *Client) Delete(ctx context.Context, path string) error {
	return c.do(ctx, http.MethodDelete, path, nil, "", nil)
}

// do returns *api.Error for every response that is not a success.
func (c *Client) do(ctx context.Context, method, path string, body any, key string, into any) error {
	var payload io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encoding a request: %w", err)
		}
		payload = bytes.NewReader(data)
	}
	if !strings.HasPrefix(path, api.Prefix) {
		path = api.Prefix + path
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, payload)
	if err != nil {
		return fmt.Errorf("making a request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	if payload != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set(api.HeaderIdempotency, key)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if ctx.Err() != nil && err != nil {
		return fmt.Errorf("asking the panel: %w", ctx.Err()) // cancelled by the caller
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoPanel, err)
	}
	defer res.Body.Close()
	return decode(res, into)
}

// maxResponse bounds the size of a response: lists of some hundred sites are far below.
const maxResponse = 16 << 20

func decode(res *http.Response, into any) error {
	data, err := io.ReadAll(io.LimitReader(res.Body, maxResponse))
	if err != nil {
		return fmt.Errorf("reading the panel's answer: %w", err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		var e api.Envelope
		if json.Unmarshal(data, &e) != nil || e.Error.Code == "" {
			return &api.Error{Code: codeOf(res.StatusCode), Message: "The panel answered " + res.Status + "."}
		}
		return &e.Error
	}
	if into == nil || len(data) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("decoding the panel's answer: %w", err)
	}
	return nil
}

// codeOf returns a code for responses that did not come from the panel, such as a page of the proxy.
func codeOf(status int) api.Code {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return api.CodeUnavailable
	case http.StatusNotFound:
		return api.CodeNotFound
	}
	return api.CodeInternal
}
