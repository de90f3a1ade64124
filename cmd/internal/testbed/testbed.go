// Package testbed opens a running instance on this machine for the programs that test and measure it. It knows what the
// demo filled the instance with, but nothing of what is tried on it. Start reading at Open.
package testbed

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"chatiere/cmd/internal/apiclient"
	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/demo"
	"chatiere/cmd/internal/inventory"
	"chatiere/tenants"
)

// Instance is a running instance that the demo has filled.
type Instance struct {
	inventory.Machine
	Summary demo.Summary
	Panel   *apiclient.Client
}

// Open reads the instance's configuration and the demo's summary.
func Open(file, summary string) (*Instance, error) {
	c, err := config.Load(file, os.Environ())
	if err != nil {
		return nil, err
	}
	i := &Instance{Machine: inventory.Machine{Config: c}, Panel: apiclient.OverSocket(c.Paths().CLISocket())}
	data, err := os.ReadFile(summary)
	if err != nil {
		return nil, fmt.Errorf("reading the summary: %w", err)
	}
	if err := json.Unmarshal(data, &i.Summary); err != nil {
		return nil, fmt.Errorf("reading the summary: %w", err)
	}
	if len(i.Summary.Sites) == 0 {
		return nil, errors.New("the summary names no site")
	}
	return i, nil
}

// Browser returns a client as a browser on this machine: names lead to loopback, the instance's authority is trusted,
// redirects are not followed.
func (i *Instance) Browser() (*http.Client, error) {
	pem, err := os.ReadFile(i.Config.Paths().CA())
	if err != nil {
		return nil, fmt.Errorf("reading the certificate authority: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", i.Config.Paths().CA())
	}
	return &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 32,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				_, port, err := net.SplitHostPort(address)
				if err != nil {
					return nil, err
				}
				return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
			},
		},
	}, nil
}

// Page asks for a URL and returns status and body.
func Page(ctx context.Context, browser *http.Client, url string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	res, err := browser.Do(req)
	if err != nil {
		return 0, nil, err
	}
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, body, errors.Join(err, res.Body.Close())
}

var siteID = regexp.MustCompile("^s[a-z0-9]{9}$")

// RoleContainer returns the name of a role's container.
func (i *Instance) RoleContainer(role string) string {
	return "chatiere-" + i.Config.Instance + "-" + role
}

// Container returns the name of a role's container, or of the one of a site's release.
func (i *Instance) Container(ctx context.Context, of string) (string, error) {
	if !siteID.MatchString(of) {
		return i.RoleContainer(of), nil
	}
	names, err := Docker(ctx, "ps", "-a", "--format", "{{.Names}}", "--filter", "label="+tenants.LabelSite+"="+of,
		"--filter", "label="+tenants.LabelInstance+"="+i.Config.Instance)
	for name := range strings.FieldsSeq(names) { // the newest first
		if err == nil && !strings.HasSuffix(name, tenants.OldSuffix) {
			return name, nil
		}
	}
	return "", errors.Join(fmt.Errorf("no container of site %s", of), err)
}

// PID returns the first process of a role's container, or of a site's.
func (i *Instance) PID(ctx context.Context, of string) (int, error) {
	name, err := i.Container(ctx, of)
	if err != nil {
		return 0, err
	}
	return PID(ctx, name)
}

// PID returns the first process of a container, which must run.
func PID(ctx context.Context, container string) (int, error) {
	text, err := Docker(ctx, "inspect", "-f", "{{.State.Pid}}", container)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(text)
	if err == nil && pid == 0 {
		err = fmt.Errorf("%s does not run", container)
	}
	return pid, err
}
