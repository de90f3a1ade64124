package views_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"chatiere/panel/views"
)

// families are the keys made of a prefix and a value of an enumeration: W "family" .Value in templates. The
// values are those of the constants of the type; but those listed after it.
var families = map[string][]string{
	"nav":             {"Area"},
	"role":            {"Role"},
	"notice":          {"NoticeKind", "break-glass"},
	"flash":           {"FlashKind"},
	"site-state":      {"SiteState"},
	"site.yours":      {"SiteState"},
	"site.theirs":     {"SiteState"},
	"site.means":      {"SiteState"},
	"operation-state": {"OperationState"},
	"operation.says":  {"OperationState", "done"},
	"operation.title": {"OperationKind"},
	"operation.done":  {"OperationKind"},
	"step-state":      {"StepState"},
	"cause":           {"Cause"},
	"need.title":      {"NeedKind"},
	"need.text":       {"NeedKind"},
	"confirm.title":   {"Act"},
	"confirm.what":    {"Act"},
	"confirm.back":    {"Act"},
	"confirm.button":  {"Act"},
	"confirm.no":      {"Act"},
	"scope":           {"Scope"},
	"trouble.title":   {"TroubleKind"},
	"trouble.means":   {"TroubleKind"},
	"trouble.do":      {"TroubleKind"},
	"log":             {"LogEvent"},
	"part-state":      {"PartState"},
	"act":             {"AuditAct"},
	"browser":         {"Browser"},
	"platform":        {"DevicePlatform"},
	"actor":           {"ActorKind", "person"},
	"mail-state":      {"MailState"},
	"mail-cause":      {"MailCause"},
	"snapshot":        {"SnapshotReason"},
	"try":             {"AttemptReason", ""},
}

// partial are families that have words for some values and "other" for the rest.
var partial = []string{"operation.cancel", "problem.association", "problem.template", "problem.mode", "mode", "problem.name", "problem.host", "problem.slug",
	"problem.reach", "problem.ports", "problem.reason"}

// open are families whose values are not ours: steps of plans, small numbers, the codes of findings (see finding_test.go),
// what is noted beside acts.
var open = []string{"step.", "number.", "finding.", "detail."}

func catalogue(t *testing.T, lang string) *views.Catalogue {
	t.Helper()
	c, err := views.LoadCatalogue(lang)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCataloguesHaveTheSameKeysFormsAndPlaceholders(t *testing.T) {
	fr, en := catalogue(t, views.French), catalogue(t, views.English)
	a, b := fr.Keys(), en.Keys()
	slices.Sort(a)
	slices.Sort(b)
	if !slices.Equal(a, b) {
		t.Fatalf("keys differ: only French %v, only English %v", without(a, b), without(b, a))
	}
	for _, key := range a {
		f, _ := fr.Text(key)
		e, _ := en.Text(key)
		if (f.One == f.Other) != (e.One == e.Other) && !sameForms(key) {
			t.Errorf("%s: one language has forms by number, the other has not", key)
		}
		if f.Other == "" || f.One == "" || e.Other == "" || e.One == "" {
			t.Errorf("%s: an empty text", key)
		}
		if p, q := placeholders(f.Other), placeholders(e.Other); !slices.Equal(p, q) {
			t.Errorf("%s: placeholders %v in French, %v in English", key, p, q)
		}
	}
}

// sameForms are texts whose French does not change with the number.
func sameForms(key string) bool { return key == "site.managers" }

func TestEveryKeyIsUsedAndEveryUsedKeyExists(t *testing.T) {
	used := usedKeys(t)
	constants := enumerations(t)
	for family, rule := range families {
		values := constants[rule[0]]
		if len(values) == 0 {
			t.Errorf("family %s: no constants of type %s", family, rule[0])
		}
		for _, v := range values {
			if v != "" && !slices.Contains(rule[1:], v) {
				used[family+"."+v] = true
			}
		}
	}
	used["log.other"] = true // what an event newer than this binary gets
	c := catalogue(t, views.French)
	for key := range used {
		if _, ok := c.Text(key); !ok {
			t.Errorf("key %s is used and has no text", key)
		}
	}
	for _, key := range c.Keys() {
		if !used[key] && !inPartial(key) && !slices.ContainsFunc(open, func(p string) bool { return strings.HasPrefix(key, p) }) {
			t.Errorf("key %s is not used", key)
		}
	}
}

func TestFamiliesNamedInTemplatesAreKnownToThisTest(t *testing.T) {
	for _, name := range findAll(t, `(?:\bW|badge) "([a-z0-9.-]+)"`, "templates/*/*.tmpl") {
		if _, ok := families[name]; !ok && !slices.Contains(partial, name) {
			t.Errorf("family %s is not checked", name)
		}
	}
	c := catalogue(t, views.French)
	for _, name := range partial {
		if _, ok := c.Text(name + ".other"); !ok {
			t.Errorf("family %s has no words for the rest", name)
		}
	}
}

func inPartial(key string) bool {
	return slices.ContainsFunc(partial, func(p string) bool { return strings.HasPrefix(key, p+".") })
}

// usedKeys are the keys written out in templates and in Go.
func usedKeys(t *testing.T) map[string]bool {
	t.Helper()
	used := map[string]bool{}
	for _, key := range findAll(t, `\bT "([a-z0-9._-]+)"`, "templates/*/*.tmpl") {
		used[key] = true
	}
	for _, key := range findAll(t, `\.Say\("([a-z0-9._-]+)"`, "*.go") {
		used[key] = true
	}
	return used
}

func findAll(t *testing.T, pattern, glob string) []string {
	t.Helper()
	names, err := filepath.Glob(glob)
	if err != nil || len(names) == 0 {
		t.Fatalf("no files for %s: %v", glob, err)
	}
	var found []string
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(b), -1) {
			found = append(found, m[1])
		}
	}
	return found
}

// enumerations reads the values of the string constants of this package, by type.
func enumerations(t *testing.T) map[string][]string {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string][]string{}
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
				typ, isName := spec.Type.(*ast.Ident)
				lit, isLit := spec.Values[0].(*ast.BasicLit)
				if isName && isLit && lit.Kind == token.STRING {
					v, _ := strconv.Unquote(lit.Value)
					values[typ.Name] = append(values[typ.Name], v)
				}
			}
			return true
		})
	}
	return values
}

func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

func placeholders(s string) []string {
	found := regexp.MustCompile(`\{[a-z0-9_]+\}`).FindAllString(s, -1)
	slices.Sort(found)
	return slices.Compact(found)
}
