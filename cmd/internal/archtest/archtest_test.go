// Package archtest holds the house's rules about who may import whom, as tests that fail.
package archtest_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "chatiere"

// pkg is what "go list" says of a package.
type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "-tags=integration,e2e", module+"/...")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(out); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(all) < 30 {
		t.Fatalf("only %d packages found: the rules would hold for nothing", len(all))
	}
	return all
}

// room reports whether a package lies in a room or below it.
func room(importPath, name string) bool {
	path := strings.TrimPrefix(importPath, module+"/")
	return path == name || strings.HasPrefix(path, name+"/")
}

// A technology is imported in one room only.
func TestTechnologiesAreImportedInTheirRoomAlone(t *testing.T) {
	rooms := map[string][]string{
		"github.com/docker/docker":      {"tenants/docker"},
		"github.com/gofiber/fiber":      {"panel"},
		"gorm.io":                       {"tenants/database", "tenants/mysql", "panel/mysql"},
		"github.com/robfig/cron":        {"tenants/schedule"},
		"github.com/coreos/go-oidc":     {"tenants/identity"},
		"github.com/pressly/goose":      {"migrations"},
		"github.com/goccy/go-yaml":      {"cmd/internal/config", "cmd/internal/setup", "templates"},
		"github.com/emersion/go-smtp":   {"reverseproxy/egress"},
		"github.com/spf13/cobra":        {"cmd/chatiere"},
		"golang.org/x/net/http2":        {"reverseproxy"},
		"github.com/go-json-experiment": {"panel"},
		"github.com/fsnotify/fsnotify":  {"reverseproxy"},
		"github.com/google/renameio":    {"reverseproxy", "tenants"},
		"github.com/kopia/kopia":        {"backups/kopia"},
	}
	used := map[string]bool{}
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			for technology, allowed := range rooms {
				if !strings.HasPrefix(imported, technology) {
					continue
				}
				used[technology] = true
				if !slices.ContainsFunc(allowed, func(r string) bool { return room(p.ImportPath, r) }) {
					t.Errorf("%s imports %s, which belongs to %v alone", p.ImportPath, imported, allowed)
				}
			}
		}
	}
	for technology := range rooms {
		if !used[technology] {
			t.Errorf("nobody imports %s any more: take its rule away", technology)
		}
	}
}

// Rooms know only the rooms below them.
func TestRoomsImportDownwardsOnly(t *testing.T) {
	may := map[string][]string{
		"templates":          {"templates"},
		"reverseproxy":       {"reverseproxy", "tenants/identity/assertion"},
		"backups":            {"backups"},
		"backups/sites":      {"backups", "tenants"},
		"migrations":         {"migrations"},
		"cmd/siteinit":       {"cmd/siteinit"},
		"tenants":            {"tenants"},
		"tenants/operations": {"tenants/operations", "tenants/recovery"},
		// What the proxy may stand on too imports nothing of ours.
		"tenants/identity/assertion": {"tenants/identity/assertion"},
		"tenants/records":            {"tenants", "reverseproxy/atomicfile"},
		"tenants/worker":             {"tenants", "reverseproxy/unixsocket"},
		"tenants/provision":          {"tenants"},
		"panel/api":                  {"panel/api"},
		"panel/views":                {"panel/views", "panel/assets"},
		"panel/assets":               {"panel/assets"},
		"panel/openapi":              {"panel/openapi"},
		"panel":                      {"panel", "tenants"},
	}
	for _, p := range packages(t) {
		name := nearest(p.ImportPath, may)
		if name == "" {
			continue
		}
		for _, imported := range p.Imports {
			if !strings.HasPrefix(imported, module+"/") {
				continue
			}
			if !slices.ContainsFunc(may[name], func(r string) bool { return room(imported, r) }) {
				t.Errorf("%s imports %s; %s may know %v alone", p.ImportPath, imported, name, may[name])
			}
		}
	}
}

// nearest returns the rule of the innermost room a package lies in.
func nearest(importPath string, rules map[string][]string) string {
	best := ""
	for name := range rules {
		if room(importPath, name) && len(name) > len(best) {
			best = name
		}
	}
	return best
}

// The domain itself does no I/O.
func TestTheDomainKnowsNoTechnology(t *testing.T) {
	forbidden := []string{"net", "net/http", "os", "os/exec", "database/sql", "syscall"}
	for _, p := range packages(t) {
		path := strings.TrimPrefix(p.ImportPath, module+"/")
		if path != "tenants" && path != "tenants/operations" {
			continue
		}
		for _, imported := range p.Imports {
			if slices.Contains(forbidden, imported) {
				t.Errorf("%s imports %s: the domain does no I/O", p.ImportPath, imported)
			}
		}
	}
}

// Fakes and contract suites live in X/xtest packages and never get into the program.
func TestFakesStayOutOfTheProgram(t *testing.T) {
	for _, p := range packages(t) {
		if fake(p.ImportPath) {
			continue
		}
		for _, imported := range p.Imports {
			if fake(imported) {
				t.Errorf("%s imports %s outside its tests", p.ImportPath, imported)
			}
		}
	}
}

// Failure points are for programs that are built with their tag.
func TestFailurePointsStayOutOfTheProgram(t *testing.T) {
	for _, p := range packages(t) { // listed without that tag
		if slices.Contains(p.Imports, module+"/cmd/internal/failpoint") && !strings.HasPrefix(p.ImportPath, module+"/cmd/soak") {
			t.Errorf("%s imports failure points", p.ImportPath)
		}
	}
}

func fake(importPath string) bool {
	return strings.HasPrefix(importPath, module+"/") && strings.HasSuffix(importPath, "test") && strings.Contains(importPath, "/")
}

// Adapters know the domain, and only the wiring knows adapters.
func TestAdaptersAreJoinedByTheWiringAlone(t *testing.T) {
	adapters := []string{
		"tenants/mysql", "tenants/docker", "tenants/keycloak", "tenants/sitedb", "tenants/disk", "tenants/probe", "panel/mysql",
	}
	for _, p := range packages(t) {
		if room(p.ImportPath, "cmd") {
			continue
		}
		for _, imported := range p.Imports {
			for _, adapter := range adapters {
				if room(imported, adapter) && !room(p.ImportPath, adapter) {
					t.Errorf("%s imports the adapter %s", p.ImportPath, imported)
				}
			}
		}
	}
}
