//go:build e2e

package e2e_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// taken is what the proxy takes in of a body before it asks the application.
const taken = 256 << 10

// from makes a client come from another address of this machine.
func from(client *http.Client, address string) *http.Client {
	transport := client.Transport.(*http.Transport)
	transport.DialContext = func(ctx context.Context, network, to string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(to)
		if err != nil {
			return nil, err
		}
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
		return d.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}
	return client
}

// Seventeen addresses send requests to the sign-in, the panel and a site, and of each body a byte, or a part too large
// to be taken in. Others notice nothing.
func TestSlowVisitorsTakeNothingFromOthers(t *testing.T) {
	i := open(t)
	site := i.summary.Sites[0].URL
	targets := map[string]string{ // what is attacked, and what others ask for meanwhile
		i.config.Identity.Issuer + "/protocol/openid-connect/token": i.config.Identity.Issuer + "/.well-known/openid-configuration",
		i.summary.PanelURL + "/auth/backchannel-logout":             i.summary.PanelURL + "/",
		strings.TrimSuffix(site, "/") + "/wp-comments-post.php":     site,
	}
	roots := i.browser(t).Transport.(*http.Transport).TLSClientConfig.RootCAs
	var opening sync.WaitGroup
	for n := range 17 {
		for target := range targets {
			opening.Go(func() { trickle(t, fmt.Sprintf("127.0.7.%d", n+1), target, &tls.Config{RootCAs: roots}) })
		}
	}
	opening.Wait()
	visitor := from(i.browser(t), "127.0.8.1")
	for range 10 {
		for _, wanted := range targets {
			resp, err := visitor.Get(wanted)
			if err != nil {
				t.Fatalf("asking for %s: %v", wanted, err)
			}
			if err := resp.Body.Close(); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode >= http.StatusBadRequest {
				t.Errorf("%s: %d", wanted, resp.StatusCode)
			}
		}
	}
}

// trickle opens requests whose bodies never come whole; they last as long as the test.
func trickle(t *testing.T, address, target string, config *tls.Config) {
	u, err := url.Parse(target)
	if err != nil {
		t.Error(err)
		return
	}
	config.ServerName = u.Hostname()
	dialer := &tls.Dialer{Config: config, NetDialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 20 * time.Second}}
	for n := range 8 {
		c, err := dialer.DialContext(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", u.Port()))
		if err != nil {
			t.Errorf("attacking from %s: %v", address, err)
			return
		}
		t.Cleanup(func() { _ = c.Close() })
		length, sent := 1000, 1
		if n%2 == 1 && strings.HasSuffix(u.Path, ".php") {
			length, sent = 4*taken, taken+1
		}
		_, err = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
			u.Path, u.Host, length, strings.Repeat("x", sent))
		if err != nil {
			t.Errorf("attacking from %s: %v", address, err)
		}
	}
}
