package templates_test

import (
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"chatiere/templates"
)

// TestEveryFaultIsToldAtOnce reads each broken manifest of testdata and compares what is said
// about it: file, line, what is wrong and what is expected.
func TestEveryFaultIsToldAtOnce(t *testing.T) {
	files, err := filepath.Glob("testdata/faults/*/manifest.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("found %d broken manifests, %v", len(files), err)
	}
	for _, file := range files {
		directory := filepath.Dir(file)
		t.Run(filepath.Base(directory), func(t *testing.T) {
			faults := templates.Check(directory)
			if len(faults) == 0 {
				t.Fatal("no fault was found")
			}
			golden(t, filepath.Join(directory, "faults.golden"), templates.Faults(faults).Error()+"\n")
		})
	}
}

// TestOneChangeIsOneFault breaks our own manifest in one place at a time.
func TestOneChangeIsOneFault(t *testing.T) {
	source, err := os.ReadFile("catalog/wordpress/manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]struct{ old, new, told string }{
		"unknown variable":   {"      - SITE_ID\n", "      - DB_PASSWORD\n", "unknown variable"},
		"unknown key":        {"modes: [autonome]", "modes: [autonome]\ncolour: red", "colour: unknown key"},
		"unknown mode":       {"modes: [autonome]", "modes: [shared]", "one of autonome, mutualise"},
		"missing hook":       {"  dump:\n", "  dumps:\n", "hooks.dump: missing"},
		"cron without rest":  {"    every: 5m\n", "", "hooks.cron.every"},
		"pattern too wide":   {`path: '(?i)^/wp-config[^/]*\.'`, "path: '(?i)^/wp-'", "lets pass"},
		"pattern too narrow": {`path: '(?i)^/wp-config[^/]*\.'`, "path: '^/wp-config'", "a path that the pattern refuses"},
		"probe refused":      {"ready: {path: /,", "ready: {path: /xmlrpc.php,", "does not refuse"},
		"mail port":          {"api.wordpress.org, ports: [443]", "api.wordpress.org, ports: [25]", "egress[0].ports[0]"},
		"bare address":       {"name: api.wordpress.org", "name: 10.0.0.1", "a host name"},
		"tmpfs of a GiB":     {"size: 16MiB", "size: 1GiB", "counts as memory"},
		"writable code":      {"path: /data/tmp", "path: /opt/wordpress", "below /data"},
		"unknown default":    {`default: "6.8"`, `default: "7.1"`, "one of the versions"},
		"no Dockerfile":      {"dockerfile: Dockerfile", "dockerfile: Containerfile", "a file beside the manifest"},
		"twice":              {"licence: GPL", "licence: MIT\nlicence: GPL", "given twice"},
		"number for text":    {`default: "6.8"`, `default: 6.8`, "in quotes"},
		"no memory limit":    {"memory: 384MiB, ", "", "limits.memory"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := strings.Replace(string(source), change.old, change.new, 1)
			if broken == string(source) {
				t.Fatalf("the manifest has no %q", change.old)
			}
			files := fstest.MapFS{"wordpress/manifest.yaml": {Data: []byte(broken)}, "wordpress/Dockerfile": {Data: []byte("FROM scratch")}}
			_, err := templates.Load(files)
			if err == nil || !strings.Contains(err.Error(), change.told) || !strings.Contains(err.Error(), "manifest.yaml:") {
				t.Errorf("got %v, want a line and %q", err, change.told)
			}
		})
	}
}

// confined holds what no manifest may change, whatever it says.
func confined(t *testing.T, spec templates.Spec) {
	t.Helper()
	const root = "/var/lib/chatiere/"
	for _, c := range spec.Containers {
		if c.Network != "none" && c.Network != spec.Containers[0].Name || len(c.Sysctls) > 0 && c.Network != "none" {
			t.Errorf("container %s has the network %q and sysctls %v", c.Name, c.Network, c.Sysctls)
		}
		if !c.NoNewPrivilege || !c.DropAll || !c.ReadOnlyRoot || !strings.HasPrefix(c.User, "200001") {
			t.Errorf("container %s is let loose: %+v", c.Name, c)
		}
		for _, m := range c.Mounts {
			own := strings.Contains(m.Source, "s7k2m9qx4p") || m.ReadOnly
			if !strings.HasPrefix(m.Source, root) || path.Clean(m.Source) != m.Source || !own || path.Clean(m.Target) != m.Target || m.Target == "/" {
				t.Errorf("container %s has %+v", c.Name, m)
			}
		}
		for _, e := range c.Environment {
			if name, _, ok := strings.Cut(e, "="); !ok || name == "" || strings.ContainsAny(e, "\x00\n") {
				t.Errorf("container %s is told %q", c.Name, e)
			}
		}
	}
	for _, pattern := range spec.Refuse {
		if _, err := regexp.Compile(pattern); err != nil {
			t.Errorf("the proxy cannot read %q", pattern)
		}
	}
}

func FuzzManifest(f *testing.F) {
	for _, pattern := range []string{"catalog/*/manifest.yaml", "testdata/faults/*/manifest.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(source)
		}
	}
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("{{{{"))
	f.Fuzz(func(t *testing.T, source []byte) {
		files := fstest.MapFS{"app/manifest.yaml": {Data: source}, "app/Dockerfile": {Data: []byte("FROM scratch")}}
		catalogue, err := templates.Load(files)
		if err != nil {
			return
		}
		for _, name := range catalogue.Names() {
			template, err := catalogue.Template(name)
			if err != nil {
				t.Fatal(err)
			}
			v := values()
			v.Images[templates.NetworkContainer] = "chatiere/net:y"
			for _, container := range template.Containers {
				v.Images[container.Name] = "chatiere/x:y"
			}
			spec, err := templates.Resolve(template, "", v)
			if err != nil {
				t.Fatalf("a sound manifest does not resolve: %v", err)
			}
			if again, err := templates.Resolve(template, "", v); err != nil || !reflect.DeepEqual(again, spec) {
				t.Errorf("resolved twice, it differs: %v", err)
			}
			confined(t, spec)
		}
	})
}
