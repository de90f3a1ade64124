package assets_test

import (
	"regexp"
	"strings"
	"testing"

	"chatiere/panel/assets"
)

func load(t *testing.T) *assets.Set {
	t.Helper()
	s, err := assets.Load()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAssetsAreServedUnderTheHashOfTheirContent(t *testing.T) {
	s := load(t)
	hashed := regexp.MustCompile(`^/assets/app\.[0-9a-f]{12}\.css$`)
	if u := s.URL("app.css"); !hashed.MatchString(u) {
		t.Errorf("URL %q", u)
	}
	f, ok := s.Served(strings.TrimPrefix(s.URL("app.css"), assets.Prefix))
	if !ok || f.Name != "app.css" || f.ContentType != "text/css; charset=utf-8" || len(f.Content) == 0 {
		t.Errorf("served %v as %s, %d bytes", ok, f.ContentType, len(f.Content))
	}
}

func TestUnknownNamesAreNotServed(t *testing.T) {
	s := load(t)
	for _, name := range []string{"app.css", "", "../assets.go", "app.000000000000.css"} {
		if _, ok := s.Served(name); ok {
			t.Errorf("%q is served", name)
		}
	}
	if u := s.URL("nothing.css"); u != "" {
		t.Errorf("URL of nothing: %q", u)
	}
}

func TestAssetsFetchNothingFromElsewhereAndStaySmall(t *testing.T) {
	limits := map[string]int{"app.css": 24 << 10, "app.js": 2 << 10, "favicon.svg": 2 << 10, "sign.svg": 2 << 10}
	elsewhere := regexp.MustCompile(`(?:url\(|@import|src=|href=)\s*["']?(?:https?:)?//`)
	for _, f := range load(t).All() {
		if limit, ok := limits[f.Name]; !ok || len(f.Content) > limit {
			t.Errorf("%s weighs %d bytes, may weigh %d", f.Name, len(f.Content), limit)
		}
		if m := elsewhere.Find(f.Content); m != nil {
			t.Errorf("%s fetches %s", f.Name, m)
		}
	}
}
