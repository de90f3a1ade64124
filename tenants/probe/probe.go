// Package probe asks sites for a page: on the private side over the site's own socket, and on the public side through the
// proxy, as a visitor would.
package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"chatiere/tenants"
)

const (
	// timeout bounds one probe: a fresh PHP process compiles a whole application on its first page.
	timeout = 15 * time.Second
	// readLimit is how much of an answer is read; a probe needs its status, and the rest only so that the backend is not cut.
	readLimit = 1 << 20
)

// Private asks over the site's own socket, with the headers that our proxy would send.
type Private struct {
	// Dial connects to the HTTP socket of the site's release. The socket lies where the site may write: Dial must follow no
	// link.
	Dial func(ctx context.Context, s tenants.Site) (net.Conn, error)
	Port int // public HTTPS port, part of the Host header unless 443
}

// Check asks for a page. Redirects are not followed: where a site sends people is an answer in itself.
func (p Private) Check(ctx context.Context, s tenants.Site, want tenants.Page) error {
	status, body, err := p.Read(ctx, s, want.Path)
	if err != nil {
		return err
	}
	return compare(status, body, want)
}

// Read returns the status of path, and the beginning of its body.
func (p Private) Read(ctx context.Context, s tenants.Site, path string) (int, []byte, error) {
	client := newClient(&http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return p.Dial(ctx, s) },
	})
	req, err := request(ctx, "http://"+authority(s.Host, p.Port)+path)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("X-Forwarded-Proto", "https")
	req.Header.Set("X-Forwarded-Host", authority(s.Host, p.Port))
	req.Header.Set("X-Forwarded-For", "127.0.0.1")
	req.Header.Set("X-Real-IP", "127.0.0.1")
	return do(client, req)
}

// Public asks through the proxy's inner TLS socket, with the site's name as server name and as Host.
type Public struct {
	Edge  string                // path of the proxy's socket
	Port  int                   // public HTTPS port
	Roots func() *x509.CertPool // who may have signed the certificate; nil: the system's
	// Name is a host that the certificate covers and no route leads to, for Table.
	Name string
}

// tableHeader contains the version of the route table by which the proxy serves our own roles.
const tableHeader = "X-Chatiere-Table"

// Table asks the proxy which version of the route table it serves by. It is -1 for a proxy of a former version.
func (p Public) Table(ctx context.Context) (int64, error) {
	req, err := request(ctx, "https://"+authority(p.Name, p.Port)+"/")
	if err != nil {
		return 0, err
	}
	res, err := p.client().Do(req)
	if err != nil {
		return 0, fmt.Errorf("asking the proxy for its table: %w", err)
	}
	defer res.Body.Close()
	if res.Header.Get(tableHeader) == "" {
		return -1, nil
	}
	version, err := strconv.ParseInt(res.Header.Get(tableHeader), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("asking the proxy for its table: %w: no version in the header", ErrAnswer)
	}
	return version, nil
}

// Check asks for a page as a visitor does.
func (p Public) Check(ctx context.Context, s tenants.Site, want tenants.Page) error {
	req, err := request(ctx, "https://"+authority(s.Host, p.Port)+want.Path)
	if err != nil {
		return err
	}
	status, body, err := do(p.client(), req)
	if err != nil {
		return err
	}
	return compare(status, body, want)
}

func (p Public) client() *http.Client {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if p.Roots != nil {
		config.RootCAs = p.Roots()
	}
	return newClient(&http.Transport{
		DisableKeepAlives: true, TLSClientConfig: config,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", p.Edge)
		},
	})
}

func newClient(t *http.Transport) *http.Client {
	return &http.Client{
		Transport: t, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func authority(host string, port int) string {
	if port == 443 || port == 0 {
		return host
	}
	return fmt.Sprintf("%s:%d", host, port)
}

func request(ctx context.Context, url string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("making a probe's request: %w", err)
	}
	req.Header.Set("User-Agent", "chatiere-probe")
	return req, nil
}

// ErrAnswer means that a site answered otherwise than expected.
var ErrAnswer = errors.New("unexpected answer")

func do(client *http.Client, req *http.Request) (int, []byte, error) {
	res, err := client.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("probing: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, readLimit))
	if err != nil {
		return 0, nil, fmt.Errorf("reading a probe's answer: %w", err)
	}
	return res.StatusCode, body, nil
}

func compare(status int, body []byte, want tenants.Page) error {
	switch {
	case status != want.Status:
		return fmt.Errorf("%w: %s gave %d %s, want %d", ErrAnswer, want.Path, status, http.StatusText(status), want.Status)
	case !bytes.Contains(bytes.ToLower(body), bytes.ToLower([]byte(want.Contains))):
		return fmt.Errorf("%w: %s gave %d without %q in it", ErrAnswer, want.Path, status, want.Contains)
	}
	return nil
}
