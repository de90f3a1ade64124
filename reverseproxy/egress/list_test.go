package egress_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"chatiere/reverseproxy/egress"
)

func list(allow ...egress.AllowedName) egress.List {
	return egress.List{Format: 1, Site: siteA, GID: gidA, Host: hostA, Allow: allow}
}

func TestAListHasTheDocumentedForm(t *testing.T) {
	text, err := egress.EncodeList(list(egress.AllowedName{Name: "*.wordpress.org", Ports: []int{80, 443}}))
	if err != nil {
		t.Fatal(err)
	}
	flat := strings.NewReplacer("\n", "", " ", "").Replace(string(text))
	const want = `{"format":1,"site":"saaaaaaaa1","gid":200123,"host":"asso.coop.test",` +
		`"allow":[{"name":"*.wordpress.org","ports":[80,443]}],"checksum":"sha256:`
	if !strings.HasPrefix(flat, want) {
		t.Errorf("%s", flat)
	}
	back, err := egress.DecodeList(text)
	if err != nil || back.Allow[0].Name != "*.wordpress.org" || back.GID != gidA {
		t.Errorf("%v, %v", back, err)
	}
}

func TestAnAlteredListIsRefused(t *testing.T) {
	text, err := egress.EncodeList(list(egress.AllowedName{Name: "a.example", Ports: []int{443}}))
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"a.example": "b.example", "443": "444", "200123": "200124", "sha256:": "sha256:0"} {
		altered := strings.Replace(string(text), from, to, 1)
		if _, err := egress.DecodeList([]byte(altered)); !errors.Is(err, egress.ErrChecksum) {
			t.Errorf("%s for %s: %v", to, from, err)
		}
	}
	for _, torn := range []string{"", "{", string(text[:len(text)/2]), string(text) + "{}", "[]", `{"more":1}`} {
		if _, err := egress.DecodeList([]byte(torn)); !errors.Is(err, egress.ErrList) {
			t.Errorf("%.30q: %v", torn, err)
		}
	}
}

func TestAListOfANewerProgramIsReadWithoutWhatIsNotKnown(t *testing.T) {
	text, err := egress.EncodeList(list(egress.AllowedName{Name: "wordpress.org", Ports: []int{443}}))
	if err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(string(text), `"site":`, `"quota": {"names": 3}, "site":`, 1)
	if _, err := egress.DecodeList([]byte(newer)); !errors.Is(err, egress.ErrChecksum) {
		t.Errorf("what is not known is not covered by the checksum: %v", err)
	}
	l, err := egress.DecodeList([]byte(signed(t, newer)))
	if err != nil || len(l.Allow) != 1 {
		t.Errorf("got %+v, %v", l, err)
	}
}

// What other versions wrote is here as it was written: their checksums must not be made by the code under test.
func TestListsOfOtherVersionsAreRead(t *testing.T) {
	for what, text := range map[string]string{
		"before senders": `{"format":1,"site":"saaaaaaaa1","gid":200123,"host":"asso.coop.test",` +
			`"allow":[{"name":"api.wordpress.org","ports":[443]}],` +
			`"checksum":"sha256:3a040f0d5e018559d590d095e7b8ebd9a8fcfe3edf4cbb4b77aae1ce9acec7ce"}`,
		"a newer one, with more fields": "{\n \"format\": 1, \"written_by\": \"later\", \"site\": \"saaaaaaaa1\", \"gid\": 200123, \"host\": \"asso.coop.test\",\n" +
			` "allow": [{"name": "api.wordpress.org", "ports": [443], "until": "2027-01-01"}], "limits": {"names": 3},` +
			` "checksum": "sha256:2af82ed396f47d54f2bc0fa6fa96248d3a8973f3e3adb9f0c22491b3de096dac"}`,
	} {
		got, err := egress.DecodeList([]byte(text))
		want := list(egress.AllowedName{Name: "api.wordpress.org", Ports: []int{443}})
		if err != nil || !got.Equal(want) || len(got.Senders) != 0 {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
		if _, err := egress.DecodeList([]byte(strings.Replace(text, "443", "444", 1))); !errors.Is(err, egress.ErrChecksum) {
			t.Errorf("%s, altered: %v", what, err)
		}
	}
}

// Roles are upgraded one after the other: a reader takes the format that it writes and the one before, if there is one.
func TestListsOfThisFormatAndTheOneBeforeAreRead(t *testing.T) {
	text, err := egress.EncodeList(list(egress.AllowedName{Name: "a.example", Ports: []int{443}}))
	if err != nil {
		t.Fatal(err)
	}
	written, err := egress.DecodeList(text)
	if err != nil {
		t.Fatal(err)
	}
	for format := written.Format - 2; format <= written.Format+1; format++ {
		other := strings.Replace(string(text), fmt.Sprintf(`"format": %d`, written.Format), fmt.Sprintf(`"format": %d`, format), 1)
		_, err := egress.DecodeList([]byte(signed(t, other)))
		known := format > 0 && format >= written.Format-1 && format <= written.Format
		if known && err != nil || !known && !errors.Is(err, egress.ErrList) {
			t.Errorf("format %d beside %d: %v", format, written.Format, err)
		}
	}
}

// signed gives a list the checksum that its writer would have given it.
func signed(t *testing.T, text string) string {
	t.Helper()
	blank := regexp.MustCompile(`"sha256:[0-9a-f]*"`).ReplaceAllString(text, `""`)
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(blank)); err != nil {
		t.Fatal(err)
	}
	return strings.Replace(blank, `"checksum": ""`, fmt.Sprintf(`"checksum": "sha256:%x"`, sha256.Sum256(compact.Bytes())), 1)
}

func TestFaultyListsAreNotWritten(t *testing.T) {
	many := make([]egress.AllowedName, 501)
	for i := range many {
		many[i] = egress.AllowedName{Name: "a.example", Ports: []int{443}}
	}
	for what, change := range map[string]func(*egress.List){
		"site":               func(l *egress.List) { l.Site = "../../etc/x" },
		"no site":            func(l *egress.List) { l.Site = "" },
		"group of root":      func(l *egress.List) { l.GID = 0 },
		"no host":            func(l *egress.List) { l.Host = "" },
		"upper-case host":    func(l *egress.List) { l.Host = "Asso.coop.test" },
		"too many names":     func(l *egress.List) { l.Allow = many },
		"everything":         func(l *egress.List) { l.Allow[0].Name = "*" },
		"top-level wildcard": func(l *egress.List) { l.Allow[0].Name = "*.org" },
		"inner wildcard":     func(l *egress.List) { l.Allow[0].Name = "a.*.org" },
		"partial wildcard":   func(l *egress.List) { l.Allow[0].Name = "*a.example.org" },
		"address":            func(l *egress.List) { l.Allow[0].Name = "10.0.0.1" },
		"wildcard address":   func(l *egress.List) { l.Allow[0].Name = "*.0.0.1" },
		"upper case":         func(l *egress.List) { l.Allow[0].Name = "A.example" },
		"not punycode":       func(l *egress.List) { l.Allow[0].Name = "café.example" },
		"final dot":          func(l *egress.List) { l.Allow[0].Name = "a.example." },
		"one label":          func(l *egress.List) { l.Allow[0].Name = "localhost" },
		"space":              func(l *egress.List) { l.Allow[0].Name = "a.example b" },
		"no port":            func(l *egress.List) { l.Allow[0].Ports = nil },
		"port 0":             func(l *egress.List) { l.Allow[0].Ports = []int{0} },
		"port 65536":         func(l *egress.List) { l.Allow[0].Ports = []int{443, 65536} },
	} {
		l := list(egress.AllowedName{Name: "a.example", Ports: []int{443}})
		change(&l)
		if err := egress.WriteList(t.TempDir(), l); !errors.Is(err, egress.ErrList) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestDecisions(t *testing.T) {
	l := list(
		egress.AllowedName{Name: "api.wordpress.org", Ports: []int{443}},
		egress.AllowedName{Name: "*.example.org", Ports: []int{80, 443}},
		egress.AllowedName{Name: "a.example.org", Ports: []int{587}},
	)
	for _, c := range []struct {
		name string
		port uint16
		want error
	}{
		{"api.wordpress.org", 443, nil},
		{"api.wordpress.org", 80, egress.ErrPortNotListed},
		{"wordpress.org", 443, egress.ErrNotListed},
		{"x.api.wordpress.org", 443, egress.ErrNotListed},
		{"a.example.org", 80, nil},
		{"a.example.org", 587, nil},
		{"a.example.org", 25, egress.ErrPortNotListed},
		{"b.a.example.org", 443, nil},
		{"example.org", 443, egress.ErrNotListed},
		{"evilexample.org", 443, egress.ErrNotListed},
		{"example.org.evil.test", 443, egress.ErrNotListed},
	} {
		if err := l.Decide(c.name, c.port); !errors.Is(err, c.want) {
			t.Errorf("%s:%d: %v, want %v", c.name, c.port, err, c.want)
		}
	}
}

func TestTheResolverIsToldEachPortOfANameOnce(t *testing.T) {
	l := list(egress.AllowedName{Name: "api.example.org", Ports: []int{587, 443}}, egress.AllowedName{Name: "*.example.org", Ports: []int{443, 80}})
	for name, want := range map[string][]int{"api.example.org": {80, 443, 587}, "b.example.org": {80, 443}, "example.org": nil} {
		if got := l.Ports(name); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestAListReadBackIsTheSame(t *testing.T) {
	for _, l := range []egress.List{list(), list(egress.AllowedName{Name: "a.example", Ports: []int{443}})} {
		text, err := egress.EncodeList(l)
		if err != nil {
			t.Fatal(err)
		}
		back, err := egress.DecodeList(text)
		if err != nil || !back.Equal(l) {
			t.Errorf("%v, %v", back, err)
		}
		other := l
		other.Allow = append([]egress.AllowedName{{Name: "b.example", Ports: []int{80}}}, l.Allow...)
		if back.Equal(other) {
			t.Errorf("%v is the same as %v", back, other)
		}
	}
}

func TestAFileMustBearItsSitesName(t *testing.T) {
	dir := t.TempDir()
	if err := egress.WriteList(dir, list()); err != nil {
		t.Fatal(err)
	}
	own, other := filepath.Join(dir, siteA+".json"), filepath.Join(dir, siteB+".json")
	if _, err := egress.ReadList(own); err != nil {
		t.Errorf("%v", err)
	}
	if err := os.Rename(own, other); err != nil {
		t.Fatal(err)
	}
	if _, err := egress.ReadList(other); !errors.Is(err, egress.ErrList) {
		t.Errorf("%v", err)
	}
}

func TestWritingLeavesNothingBeside(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		if err := egress.WriteList(dir, list()); err != nil {
			t.Fatal(err)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
	for range 2 { // the second time there is nothing to remove
		if err := egress.RemoveList(dir, siteA); err != nil {
			t.Errorf("%v", err)
		}
	}
	if err := egress.RemoveList(dir, "../x"); !errors.Is(err, egress.ErrList) {
		t.Errorf("%v", err)
	}
}

func FuzzDecodeList(f *testing.F) {
	text, err := egress.EncodeList(list(egress.AllowedName{Name: "*.example.org", Ports: []int{443}}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := egress.DecodeList(text)
		if err != nil {
			return
		}
		again, err := egress.EncodeList(l)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		back, err := egress.DecodeList(again)
		l.Checksum, back.Checksum = "", ""
		if l.Allow == nil {
			l.Allow = []egress.AllowedName{} // written as an empty list
		}
		if err != nil || !reflect.DeepEqual(back, l) {
			t.Errorf("%+v, %v; want %+v", back, err, l)
		}
	})
}

func TestAListNamesNoDirectoryButAReleases(t *testing.T) {
	for release, valid := range map[string]bool{"": true, "r1": true, "r12": true, "..": false, "r0": false, "r1/..": false, "gate": false} {
		l := list()
		l.Release = release
		if err := l.Validate(); (err == nil) != valid {
			t.Errorf("release %q: %v", release, err)
		}
		if other := list(); release != "" && l.Equal(other) {
			t.Errorf("release %q counts for nothing", release)
		}
	}
}
