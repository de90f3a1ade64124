package views_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"chatiere/panel/views"
)

// codes reads the codes of findings from the domain, which this package must not import.
func codes(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("../../tenants/finding*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files with codes: %v", err)
	}
	found := map[string]bool{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "FindingCode" {
				code, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				found[code] = true
			}
			return true
		})
	}
	return found
}

func TestEveryFindingHasWordsAndNoWordsAreLeftOver(t *testing.T) {
	known := codes(t)
	c := catalogue(t, views.French)
	for code := range known {
		if _, ok := c.Text("finding." + code); !ok {
			t.Errorf("finding %s has no words", code)
		}
	}
	for _, key := range c.Keys() {
		code, ok := strings.CutPrefix(key, "finding.")
		if code = strings.TrimSuffix(code, ".do"); ok && !known[code] {
			t.Errorf("key %s is of no finding", key)
		}
	}
}

func TestAFindingIsToldWithItsNamesFilledIn(t *testing.T) {
	set := newSet(t)
	says, do := set.Tell(views.English, "unknown-container", map[string]string{"subject": "chatiere-demo-x"})
	if !strings.Contains(says, "no record") || !strings.Contains(do, "docker inspect chatiere-demo-x") {
		t.Errorf("it says %q and advises %q", says, do)
	}
	if says, do := set.Tell(views.French, "of-a-newer-worker", nil); says != "of-a-newer-worker" || do != "" {
		t.Errorf("an unknown code says %q and advises %q", says, do)
	}
}
