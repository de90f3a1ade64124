package archtest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A panic in any goroutine ends the whole process, and with a role all that it looks after. So each goroutine of the roles
// recovers, or calls what does.
func TestAPanicInAGoroutineEndsNoRole(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	unguarded, seen := []string{}, 0
	for _, room := range []string{"panel", "tenants", "reverseproxy", "cmd/internal"} {
		err := filepath.WalkDir(filepath.Join(root, room), func(path string, entry fs.DirEntry, err error) error {
			dir := filepath.Base(filepath.Dir(path))
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(dir, "test") {
				return err
			}
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			for _, started := range goroutines(file) {
				seen++
				if !recovers(started) {
					at := files.Position(started.Pos())
					name, _ := filepath.Rel(root, at.Filename)
					unguarded = append(unguarded, name)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 20 {
		t.Fatalf("only %d goroutines found: the rule would hold for nothing", seen)
	}
	// Those that start nothing but the standard library's or end with their caller's own recovery.
	excused := map[string]string{
		"reverseproxy/egress/tunnel.go":         "both directions recover inside",
		"reverseproxy/upstream/tunnel.go":       "both directions recover inside",
		"reverseproxy/egress/relay/schedule.go": "one waits and closes, the other recovers",
		"tenants/docker/exec.go":                "copies a stream",
		"reverseproxy/load/clients.go":          "a load generator, in no role",
		"reverseproxy/edge/server.go":           "accept loops, whose handlers recover, and net/http's servers",
		"tenants/schedule/schedule.go":          "cron's chain recovers",
	}
	for _, name := range slices.Compact(unguarded) {
		if _, ok := excused[name]; !ok {
			t.Errorf("%s starts a goroutine whose panic would end the process: defer recovery.Log first, or run it by recovery.Keep", name)
		}
	}
}

// goroutines returns what is started by go statements and by Go methods of wait groups.
func goroutines(file *ast.File) []ast.Node {
	var out []ast.Node
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			out = append(out, n.Call.Fun)
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Go" && len(n.Args) == 1 {
				out = append(out, n.Args[0])
			}
		}
		return true
	})
	return out
}

// recovers reports whether a function calls the recovery room, or a function whose name says that it recovers.
func recovers(started ast.Node) (yes bool) {
	ast.Inspect(started, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "recovery" {
				yes = true
			}
		case *ast.Ident:
			yes = yes || n.Name == "callRecovered"
		}
		return !yes
	})
	return yes
}
