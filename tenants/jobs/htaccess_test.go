package jobs_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"chatiere/tenants"
)

// told answers the question for access rules, and takes findings.
type told struct {
	status int
	body   map[string]string
	err    error
	scope  tenants.FindingScope
	seen   map[string]string // the files, by site
	asked  int
}

func (f *told) Read(_ context.Context, s tenants.Site, path string) (int, []byte, error) {
	f.asked++
	if path != "/__htaccess" {
		return 404, nil, nil
	}
	return f.status, []byte(f.body[s.ID]), f.err
}

func (f *told) Replace(_ context.Context, scope tenants.FindingScope, seen []tenants.Finding) error {
	f.scope, f.seen = scope, map[string]string{}
	for _, found := range seen {
		if !scope.Holds(found) || found.Level == "" {
			return errors.New("out of its scope")
		}
		f.seen[found.Subject] = found.Args["files"]
	}
	return nil
}

func TestAccessRulesThatCannotBeFollowedAreFound(t *testing.T) {
	_, u := setUp(time.Now(), tenants.Site{ID: "s1", State: tenants.StateReady}, tenants.Site{ID: "s2", State: tenants.StateReady}, tenants.Site{ID: "s3", State: tenants.StateSuspended})
	f := &told{status: 200, body: map[string]string{"s1": `{"uploads/x/.htaccess":"rewriterule","uploads/y/.htaccess":""}`, "s2": `{}`, "s3": `{"x":"y"}`}}
	u.Sites, u.Findings = f, f
	round := func(want map[string]string) {
		t.Helper()
		if err := u.AccessRules(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(f.seen) != len(want) {
			t.Errorf("found %q, want %q", f.seen, want)
		}
		for id, files := range want {
			if f.seen[id] != files {
				t.Errorf("%s: found %q, want %q", id, f.seen[id], files)
			}
		}
	}
	first := map[string]string{"s1": "uploads/x/.htaccess (rewriterule), uploads/y/.htaccess"}
	round(first)
	f.err = errors.New("connection refused")
	round(first) // it is silent, not mended
	f.err, f.status = nil, 503
	round(first)
	f.status, f.body["s1"] = 200, "nonsense"
	round(first)
	f.body["s1"] = `{}`
	round(nil)
	f.body["s2"] = `{"a\u202e\n` + strings.Repeat("b", 500) + `":"","c":"","d":"","e":"","f":""}`
	round(map[string]string{"s2": "a" + strings.Repeat("b", 79) + ", c, d, + 2"})
	f.status = 404
	round(nil)
}

// Where the image does not know the question, its application answers it, which costs as much as a page.
func TestAnImageThatDoesNotKnowTheQuestionIsAskedOnce(t *testing.T) {
	fakes, u := setUp(time.Now(), tenants.Site{ID: "s1", State: tenants.StateReady, Release: tenants.Release{ID: "r1"}})
	f := &told{status: 404}
	u.Sites, u.Findings = f, f
	for range 3 {
		if err := u.AccessRules(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if f.asked != 1 {
		t.Errorf("asked %d times", f.asked)
	}
	fakes.sites[0].Release.ID, f.status, f.body = "r2", 200, map[string]string{"s1": `{"x/.htaccess":"if"}`}
	if err := u.AccessRules(t.Context()); err != nil || f.seen["s1"] != "x/.htaccess (if)" {
		t.Errorf("another image: found %q, %v", f.seen, err)
	}
}
