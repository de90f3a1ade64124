package routes_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chatiere/reverseproxy/routes"
)

var update = flag.Bool("update", false, "write the golden files anew")

var written = time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)

func sample() routes.Table {
	return routes.Table{
		Version: 42, Written: written, PublicPort: 8443,
		Routes: []routes.Route{
			{Host: "panel.lilas.test", Site: "panel", State: routes.StateServing, Upstream: "unix:/var/lib/x/run/panel/panel.sock", Lang: "fr", Cookies: []string{"__Host-chatiere*", "KC_RESTART"}},
			{
				Host: "demo.lilas.test", Site: "s7k2m9qx4p", State: routes.StateServing, Upstream: "unix:/var/lib/x/run/app/s7k2m9qx4p/http/http.sock", Lang: "fr",
				Refuse: []string{`^/wp-content/uploads/.*\.php`, `<&>`}, SharedDomain: "lilas.test",
			},
			{Host: "asleep.lilas.test", Site: "s000000000", State: routes.StateAsleep},
		},
	}
}

func TestTableHasTheAgreedFormat(t *testing.T) {
	got, err := routes.EncodeTable(sample())
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "table.json")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	back, err := routes.DecodeTable(want)
	if err != nil {
		t.Fatal(err)
	}
	again, err := routes.EncodeTable(back)
	if err != nil || !bytes.Equal(again, want) {
		t.Errorf("decoded and encoded again: %v\n%s", err, again)
	}
}

func TestATableOfAnOlderVersionIsRead(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "table-before-shared-domains.json"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := routes.DecodeTable(data)
	if err != nil || len(got.Routes) != 3 || got.Routes[1].SharedDomain != "" || got.Routes[2].Cookies != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestATableOfANewerVersionIsReadWithoutWhatIsUnknown(t *testing.T) {
	const text = `{"format":1,"version":7,"written":"2026-11-22T05:00:00Z","surprise":[1],"public_port":443,` +
		`"checksum":"sha256:f8648e18378a4b4404b740b000e997c117feaa38a952ad53419cf73677f645a0",` +
		`"routes":[{"host":"a.test","site":"s","state":"asleep","refuse":["<&>"],"colour":"blue"}]}`
	got, err := routes.DecodeTable([]byte(text))
	if err != nil || len(got.Routes) != 1 || got.Routes[0].Host != "a.test" {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := routes.DecodeTable([]byte(strings.Replace(text, "blue", "red", 1))); !errors.Is(err, routes.ErrDamaged) {
		t.Errorf("a changed field of a route: %v", err)
	}
}

func TestDamagedTableIsRefused(t *testing.T) {
	data, err := routes.EncodeTable(sample())
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(data) - 1 {
		if _, err := routes.DecodeTable(data[:i]); err == nil {
			t.Fatalf("cut after %d of %d bytes: accepted", i, len(data))
		}
	}
	for _, change := range [][2]string{
		{"demo.lilas", "evil.lilas"}, {"8443", "8444"}, {`"asleep"`, `"down"`}, {"s7k2m9qx4p/http", "s000000000/http"},
		{`"site"`, `"surprise":1,"site"`}, {"sha256:", "sha256:0"}, {"__Host-chatiere*", "*"}, {`"shared_domain"`, `"shared"`},
	} {
		changed := strings.Replace(string(data), change[0], change[1], 1)
		if changed == string(data) {
			t.Fatalf("%q is not in the table", change[0])
		}
		if _, err := routes.DecodeTable([]byte(changed)); !errors.Is(err, routes.ErrDamaged) {
			t.Errorf("%q for %q: %v", change[1], change[0], err)
		}
	}
	if _, err := routes.DecodeTable(append(data, data...)); !errors.Is(err, routes.ErrDamaged) {
		t.Errorf("twice: %v", err)
	}
}

// Roles are upgraded one after the other: a reader takes the format that it writes and the one before, if there is one.
func TestTablesOfThisFormatAndTheOneBeforeAreRead(t *testing.T) {
	data, err := routes.EncodeTable(sample())
	if err != nil {
		t.Fatal(err)
	}
	for format := routes.Format - 2; format <= routes.Format+1; format++ {
		other := strings.Replace(string(data), fmt.Sprintf(`"format": %d`, routes.Format), fmt.Sprintf(`"format": %d`, format), 1)
		_, err := routes.DecodeTable([]byte(other))
		known := format > 0 && format >= routes.Format-1 && format <= routes.Format
		if known && err != nil || !known && !errors.Is(err, routes.ErrFormat) {
			t.Errorf("format %d beside %d: %v", format, routes.Format, err)
		}
	}
}

func TestInvalidTablesAreRefusedWithTheirRoute(t *testing.T) {
	valid := func() routes.Route {
		return routes.Route{Host: "a.test", Site: "s", State: routes.StateServing, Upstream: "unix:/run/a.sock"}
	}
	for name, change := range map[string]func(*routes.Route){
		"upper case host":      func(r *routes.Route) { r.Host = "A.test" },
		"host with port":       func(r *routes.Route) { r.Host = "a.test:443" },
		"host with dot":        func(r *routes.Route) { r.Host = "a.test." },
		"empty host":           func(r *routes.Route) { r.Host = "" },
		"unicode host":         func(r *routes.Route) { r.Host = "é.test" },
		"wildcard host":        func(r *routes.Route) { r.Host = "*.test" },
		"no site":              func(r *routes.Route) { r.Site = "" },
		"site with line end":   func(r *routes.Route) { r.Site = "a\nb" },
		"unknown state":        func(r *routes.Route) { r.State = "broken" },
		"negative places":      func(r *routes.Route) { r.Places = -1 },
		"too many places":      func(r *routes.Route) { r.Places = 5000 },
		"negative body":        func(r *routes.Route) { r.MaxBody = -1 },
		"body beyond memory":   func(r *routes.Route) { r.MaxBody = 2 << 20 },
		"no upstream":          func(r *routes.Route) { r.Upstream = "" },
		"relative upstream":    func(r *routes.Route) { r.Upstream = "unix:run/a.sock" },
		"unclean upstream":     func(r *routes.Route) { r.Upstream = "unix:/run/../etc/a.sock" },
		"upstream over tcp":    func(r *routes.Route) { r.Upstream = "http://127.0.0.1:80" },
		"upstream too long":    func(r *routes.Route) { r.Upstream = "unix:/" + strings.Repeat("x", 107) },
		"upstream with zero":   func(r *routes.Route) { r.Upstream = "unix:/a\x00b" },
		"pattern unbalanced":   func(r *routes.Route) { r.Refuse = []string{"("} },
		"pattern not RE2":      func(r *routes.Route) { r.Refuse = []string{"(?=x)"} },
		"pattern empty":        func(r *routes.Route) { r.Refuse = []string{""} },
		"pattern too long":     func(r *routes.Route) { r.Refuse = []string{strings.Repeat("x", 2000)} },
		"language with quotes": func(r *routes.Route) { r.Lang = `fr"` },
		"own name as shared":   func(r *routes.Route) { r.SharedDomain = r.Host },
		"foreign shared":       func(r *routes.Route) { r.SharedDomain = "b.test" },
		"every cookie":         func(r *routes.Route) { r.Cookies = []string{"*"} },
		"cookie with equals":   func(r *routes.Route) { r.Cookies = []string{"a=b"} },
		"too many cookies":     func(r *routes.Route) { r.Cookies = slices.Repeat([]string{"a"}, 65) },
	} {
		bad := valid()
		change(&bad)
		bad2 := valid()
		bad2.Host = "good.test"
		_, err := routes.EncodeTable(routes.Table{Version: 1, Written: written, PublicPort: 443, Routes: []routes.Route{bad2, bad}})
		if !errors.Is(err, routes.ErrInvalid) || !strings.Contains(err.Error(), "route 1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	twice := routes.Table{Version: 1, Written: written, PublicPort: 443, Routes: []routes.Route{valid(), valid()}}
	if _, err := routes.EncodeTable(twice); !errors.Is(err, routes.ErrInvalid) {
		t.Errorf("same host twice: %v", err)
	}
	for _, head := range []routes.Table{
		{Version: 0, Written: written, PublicPort: 443}, {Version: 1, PublicPort: 443}, {Version: 1, Written: written}, {Version: 1, Written: written, PublicPort: 70000},
	} {
		if _, err := routes.EncodeTable(head); !errors.Is(err, routes.ErrInvalid) {
			t.Errorf("%+v: %v", head, err)
		}
	}
}

func TestWhichTableSupersedesWhich(t *testing.T) {
	at := func(version int64, hours int) routes.Table {
		return routes.Table{Version: version, Written: written.Add(time.Duration(hours) * time.Hour)}
	}
	for _, c := range []struct {
		name     string
		new, old routes.Table
		loaded   int // hours after written
		want     bool
	}{
		{"next version", at(43, 1), at(42, 0), 0, true},
		{"next version by a clock that went back", at(43, -5), at(42, 0), 0, true},
		{"stray copy", at(41, -1), at(42, 0), 0, false},
		{"same once more", at(42, 0), at(42, 0), 0, false},
		{"restored worker", at(3, 1), at(42, 0), 0, true},
		{"restored worker after one whose clock was years ahead", at(3, 1), at(42, 90000), 0, true},
		{"stray copy after one whose clock was years ahead", at(3, -1), at(42, 90000), 0, false},
	} {
		if got := c.new.Supersedes(c.old, written.Add(time.Duration(c.loaded)*time.Hour)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestWriteKeepsTheTableBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "routes.json")
	first, second := sample(), sample()
	second.Version, second.Written, second.PublicPort = 43, written.Add(time.Hour), 443
	for _, table := range []routes.Table{first, second, second} {
		if err := routes.WriteTable(path, table); err != nil {
			t.Fatal(err)
		}
	}
	for file, version := range map[string]int64{path: 43, path + routes.Previous: 42} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := routes.DecodeTable(data); err != nil || got.Version != version {
			t.Errorf("%s: version %d, %v", file, got.Version, err)
		}
	}
	if err := routes.WriteTable(path, first); !errors.Is(err, routes.ErrStale) {
		t.Errorf("older table: %v", err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 2 {
		t.Errorf("left over: %v %v", entries, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
	// A damaged file is replaced and does not displace the good one before it.
	if err := os.WriteFile(path, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	third := second
	third.Version = 44
	if err := routes.WriteTable(path, third); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path + routes.Previous)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := routes.DecodeTable(data); err != nil || got.Version != 42 {
		t.Errorf("previous: version %d, %v", got.Version, err)
	}
}

func TestLookupByHost(t *testing.T) {
	index, err := routes.Compile(sample(), written)
	if err != nil {
		t.Fatal(err)
	}
	for authority, want := range map[string]string{
		"demo.lilas.test": "s7k2m9qx4p", "DEMO.lilas.test": "s7k2m9qx4p", "demo.lilas.test:8443": "s7k2m9qx4p", "demo.lilas.test.": "s7k2m9qx4p",
		"demo.lilas.test.:1": "s7k2m9qx4p", "panel.lilas.test": "panel", "lilas.test": "", "": "", "demo.lilas.test:x": "", "x@demo.lilas.test": "",
		"demo.lilas.test:123456": "", "demo..lilas.test": "", "[demo.lilas.test]": "",
	} {
		got := ""
		if entry := index.Lookup(authority); entry != nil {
			got = entry.Site
		}
		if got != want {
			t.Errorf("%q: %q, want %q", authority, got, want)
		}
	}
	entry := index.Lookup("demo.lilas.test")
	if entry.Authority != "demo.lilas.test:8443" || entry.Socket != "/var/lib/x/run/app/s7k2m9qx4p/http/http.sock" {
		t.Errorf("entry %+v", entry)
	}
	if !entry.Refuses("/wp-content/uploads/x.php") || !entry.Refuses("/x<&>") || entry.Refuses("/wp-content/uploads/x.png") || entry.Refuses("/") {
		t.Error("refusals differ")
	}
}

func TestEveryPatternMatchesAsRegexpDoes(t *testing.T) {
	patterns := []string{`^/a/.*\.php$`, `^/(?i)A`, `\.git`, `^/b`, `^/c*d`, `^/é/x?`, `(^|/)\.ht`, `^`, `^/e|/f`, `^/g+h`, `(?i)^/k`, `(?m)^/n`, `x`, `\.(php|git)$`, `(a|b)`, `^/a$`, `(?i)\.PHP`, `a.?\.php`, `^(/a|/b)`}
	paths := []string{"/a/x.php", "/a/x.phpx", "/A", "/a", "/x.git", "/b", "/", "/d", "/ccd", "/é/", "/x/.ht", "/x/f", "/gggh", "/K", "/k", "\n/n", "/é/x"}
	for _, pattern := range patterns {
		table := sample()
		table.Routes[1].Refuse = []string{pattern}
		index, err := routes.Compile(table, written)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if got, want := index.Lookup("demo.lilas.test").Refuses(path), matches(t, pattern, path); got != want {
				t.Errorf("%s on %q: %v", pattern, path, got)
			}
		}
	}
}
