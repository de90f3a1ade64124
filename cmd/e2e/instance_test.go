//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"chatiere/cmd/internal/apiclient"
	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/demo"
	"chatiere/panel/api"
	"chatiere/tenants"
)

// instance is the running platform under test.
type instance struct {
	config  config.Config
	summary demo.Summary
	panel   *apiclient.Client
	web     *http.Client // as a browser: names to loopback, our authority trusted, redirects not followed
}

func open(t *testing.T) *instance {
	t.Helper()
	c, err := config.Load(needed(t, "CHATIERE_TEST_CONFIG"), os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	i := &instance{config: c, panel: apiclient.OverSocket(c.Paths().CLISocket())}
	data, err := os.ReadFile(needed(t, "CHATIERE_TEST_SUMMARY"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &i.summary); err != nil {
		t.Fatal(err)
	}
	i.web = i.browser(t)
	return i
}

func needed(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: run these tests by make test", name)
	}
	return value
}

func (i *instance) browser(t *testing.T) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(i.config.Paths().CA())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("the authority's file holds no certificate")
	}
	return &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				_, port, err := net.SplitHostPort(address)
				if err != nil {
					return nil, err
				}
				return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
			},
		},
	}
}

// page asks for a URL and returns status and body.
func (i *instance) page(t *testing.T, url string) (int, string) {
	t.Helper()
	status, body, err := i.try(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return status, body
}

func (i *instance) try(ctx context.Context, url string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	res, err := i.web.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, string(body), err
}

// eventually polls a condition until it holds; what it last said is told when it never does.
func eventually(t *testing.T, within time.Duration, what string, holds func() (bool, string)) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		ok, said := holds()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s; last: %s", what, within, said)
		}
		time.Sleep(100 * time.Millisecond) // polls a condition, with a deadline
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := tryRun(name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func tryRun(name string, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return strings.TrimSpace(out.String()), err
}

// container names a container of the platform or of a site.
// container returns the name of a role's container, or of the one of a site's release.
func (i *instance) container(of string) string {
	if !siteID.MatchString(of) {
		return "chatiere-" + i.config.Instance + "-" + of
	}
	names, err := tryRun("docker", "ps", "-a", "--format", "{{.Names}}", "--filter", "label="+tenants.LabelSite+"="+of,
		"--filter", "label="+tenants.LabelInstance+"="+i.config.Instance)
	for name := range strings.FieldsSeq(names) { // the newest first
		if err == nil && !strings.HasSuffix(name, tenants.OldSuffix) {
			return name
		}
	}
	return "no container of site " + of
}

var siteID = regexp.MustCompile("^s[a-z0-9]{9}$")

// kill ends a container as a power cut would.
func (i *instance) kill(t *testing.T, role string) {
	t.Helper()
	run(t, "docker", "kill", "-s", "KILL", i.container(role))
}

func (i *instance) start(t *testing.T, role string) {
	t.Helper()
	run(t, "docker", "start", i.container(role))
}

// wish sends a wish to the panel and returns its operation.
func (i *instance) wish(t *testing.T, path string, body any) api.Operation {
	t.Helper()
	var op api.Operation
	if err := i.panel.Post(context.WithoutCancel(t.Context()), path, body, "", &op); err != nil {
		t.Fatalf("POST %s: %v", path, explain(err))
	}
	return op
}

func explain(err error) string {
	var told *api.Error
	if errors.As(err, &told) {
		return fmt.Sprintf("%s %s %v", told.Code, told.Message, told.Faults)
	}
	return err.Error()
}

// done waits for an operation to end as wished.
func (i *instance) done(t *testing.T, op api.Operation, within time.Duration) api.Operation {
	t.Helper()
	eventually(t, within, "operation "+op.ID+" ("+op.Kind+")", func() (bool, string) {
		if err := i.panel.Get(context.WithoutCancel(t.Context()), api.Item(api.PathOperations, op.ID), &op); err != nil {
			return false, err.Error()
		}
		return op.Ended(), op.State + " " + op.Problem + " " + op.Detail
	})
	if op.State != "done" {
		t.Fatalf("operation %s (%s) ended %s: %s %s", op.ID, op.Kind, op.State, op.Problem, op.Detail)
	}
	return op
}

func (i *instance) site(t *testing.T, id string) api.Site {
	t.Helper()
	var s api.Site
	if err := i.panel.Get(context.WithoutCancel(t.Context()), api.Item(api.PathSites, id), &s); err != nil {
		t.Fatal(explain(err))
	}
	return s
}

// newSite returns a ready site with a name nobody else has.
func (i *instance) newSite(t *testing.T) api.Site {
	t.Helper()
	op := i.wish(t, api.PathSites, i.siteWish("Site "+random()))
	i.done(t, op, 2*time.Minute)
	return i.site(t, op.Site)
}

func (i *instance) siteWish(name string) api.NewSite {
	return api.NewSite{Association: i.summary.Association, Template: "wordpress", Name: name, Host: "e2e-" + random()}
}

// busy returns the operation that works on a site or waits to, if there is one.
func (i *instance) busy(t *testing.T, site string) (api.Operation, bool) {
	t.Helper()
	var l api.List[api.Operation]
	if err := i.panel.Get(context.WithoutCancel(t.Context()), api.PathOperations+"?site="+site, &l); err != nil {
		t.Fatal(explain(err))
	}
	for _, op := range l.Items {
		if !op.Ended() {
			return op, true
		}
	}
	return api.Operation{}, false
}

// gone puts a site into the bin and empties it.
func (i *instance) gone(t *testing.T, id string) {
	t.Helper()
	for _, act := range []string{"delete", "purge"} {
		i.done(t, i.wish(t, api.Item(api.PathSites, id, act), nil), 2*time.Minute)
	}
}

func random() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// at is an address without the slash at its end.
func at(url string) string { return strings.TrimSuffix(url, "/") }
