//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"chatiere/cmd/internal/apiclient"
	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/demo"
	"chatiere/cmd/internal/testbed"
	"chatiere/panel/api"
)

// instance is the running platform under test.
type instance struct {
	bed     *testbed.Instance
	config  config.Config
	summary demo.Summary
	panel   *apiclient.Client
	web     *http.Client // as a browser: names to loopback, our authority trusted, redirects not followed
}

func open(t *testing.T) *instance {
	t.Helper()
	bed, err := testbed.Open(needed(t, "CHATIERE_TEST_CONFIG"), needed(t, "CHATIERE_TEST_SUMMARY"))
	if err != nil {
		t.Fatal(err)
	}
	i := &instance{bed: bed, config: bed.Config, summary: bed.Summary, panel: bed.Panel}
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
	client, err := i.bed.Browser()
	if err != nil {
		t.Fatal(err)
	}
	return client
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
	status, body, err := testbed.Page(ctx, i.web, url)
	return status, string(body), err
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
	return testbed.Command(context.Background(), name, args...)
}

// container returns the name of a role's container, or of the one of a site's release.
func (i *instance) container(of string) string {
	name, err := i.bed.Container(context.Background(), of)
	if err != nil {
		return err.Error()
	}
	return name
}

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

func random() string { return testbed.Word() }

// at is an address without the slash at its end.
func at(url string) string { return strings.TrimSuffix(url, "/") }
