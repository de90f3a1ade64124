package templates_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"chatiere/templates"
	"chatiere/templates/templatestest"
)

func fixture(t *testing.T, name string) templates.Template {
	t.Helper()
	catalogue, err := templates.Load(templatestest.Catalogue())
	if err != nil {
		t.Fatal(err)
	}
	template, err := catalogue.Template(name)
	if err != nil {
		t.Fatal(err)
	}
	return template
}

// changed returns a fixture with one change in its manifest, and what is wrong with it.
func changed(t *testing.T, name, old, new string) (templates.Template, error) {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(templatestest.Catalogue(), name, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(templatestest.Catalogue(), path)
		files[path] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	manifest := files[name+"/manifest.yaml"]
	broken := strings.Replace(string(manifest.Data), old, new, 1)
	if broken == string(manifest.Data) {
		t.Fatalf("the manifest has no %q", old)
	}
	manifest.Data = []byte(broken)
	catalogue, err := templates.Load(files)
	if err != nil {
		return templates.Template{}, err
	}
	return catalogue.Template(name)
}

func sharedValues() templates.Values {
	v := values()
	v.Images = map[string]string{}
	for _, container := range []string{templates.NetworkContainer, "db", "app", "web"} {
		v.Images[container] = "chatiere/" + container + ":1"
	}
	return v
}

func resolved(t *testing.T, template templates.Template, mode string) templates.Spec {
	t.Helper()
	v := sharedValues()
	v.Mode = mode
	spec, err := templates.Resolve(template, "", v)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func TestASiteOfSeveralContainersResolvesToThisSpecification(t *testing.T) {
	golden(t, "testdata/carnet.golden", text(t, resolved(t, fixture(t, "carnet"), "")))
}

func TestASiteInAnotherModeResolvesToThisSpecification(t *testing.T) {
	golden(t, "testdata/vitrine.golden", text(t, resolved(t, fixture(t, "vitrine"), "mutualise")))
}

// The site's user may write in a place in the modes that the manifest binds it to, and read it in the others.
func TestAPlaceIsWritableInItsModesAlone(t *testing.T) {
	template := fixture(t, "vitrine")
	places := func(template templates.Template, mode string) (writable, readable []string) {
		for _, m := range resolved(t, template, mode).Front().Mounts {
			switch {
			case !strings.HasPrefix(m.Target, "/data"):
			case m.ReadOnly:
				readable = append(readable, m.Target)
			default:
				writable = append(writable, m.Target)
			}
		}
		return writable, readable
	}
	for mode, want := range map[string][]string{"": nil, "autonome": nil, "mutualise": {"/data/pages/themes"}} {
		if writable, readable := places(template, mode); !slices.Equal(writable, []string{"/data"}) || !slices.Equal(readable, want) {
			t.Errorf("mode %q: writable %v, readable %v", mode, writable, readable)
		}
	}
	only, err := changed(t, "vitrine", "{path: /data/pages, backup: true}", "{path: /data/pages/x, backup: true, modes: [autonome]}")
	if err != nil {
		t.Fatal(err)
	}
	if writable, readable := places(only, "mutualise"); len(writable) > 0 || !slices.Equal(readable, []string{"/data"}) {
		t.Errorf("with nothing left to write: writable %v, readable %v", writable, readable)
	}
	v := sharedValues()
	v.Mode = "shared"
	if _, err := templates.Resolve(template, "", v); err == nil {
		t.Error("a mode that the template has not")
	}
}

// A site of one container that is built of ours and answers on a socket is as it was before there were others.
func TestOnlySitesThatNeedItShareANetwork(t *testing.T) {
	image := "{kind: image, reference: registry.example/web@sha256:" + strings.Repeat("0f", 32) + "}"
	ready, err := changed(t, "vitrine", "{kind: debian, suite: trixie, package: nginx}", image)
	if err != nil {
		t.Fatal(err)
	}
	port, err := changed(t, "vitrine", "{socket: http.sock}", "{port: 3000}")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		template templates.Template
		shared   bool
	}{
		"wordpress": {wordpress(t), false}, "one native container": {fixture(t, "vitrine"), false}, "two": {fixture(t, "carnet"), true},
		"a ready image": {ready, true}, "a port": {port, true},
	} {
		spec := resolved(t, c.template, "")
		bases, err := templates.Bases(c.template, "")
		if err != nil {
			t.Fatal(err)
		}
		images, err := templates.Images(c.template, "", map[string]string{"php": "sha256:ba5e", "debian": "sha256:deb"})
		if err != nil {
			t.Fatal(err)
		}
		first := images[0].Container == templates.NetworkContainer && images[0].Reference == "sha256:ba5e"
		if shared := spec.Containers[0].Name == templates.NetworkContainer; shared != c.shared || first != c.shared || !slices.Contains(bases, "php") {
			t.Errorf("%s: it has %d containers, images %v, bases %v", name, len(spec.Containers), first, bases)
		}
	}
}

func TestAReadyImageIsNotBuilt(t *testing.T) {
	reference := "registry.example/web@sha256:" + strings.Repeat("0f", 32)
	source := "{kind: image, reference: " + reference + "}"
	template, err := changed(t, "vitrine", "{kind: debian, suite: trixie, package: nginx}", source)
	if err != nil {
		t.Fatal(err)
	}
	template.Containers[0].Build = templates.Build{}
	images, err := templates.Images(template, "", map[string]string{"php": "sha256:ba5e"})
	if err != nil || len(images) != 2 || images[1].Reference != reference || images[1].Tag != "" {
		t.Errorf("got %+v, %v", images, err)
	}
}

func TestContainersThatShareANetworkDoNotClash(t *testing.T) {
	for name, change := range map[string]struct{ template, old, new, told string }{
		"the same port":         {"carnet", "{port: 8080}", "{port: 5432}", "5432, which is that of container db"},
		"a port of the network": {"carnet", "{port: 8080}", "{port: 443}", "443, which is answered in every site"},
		"a port reached out to": {"carnet", "ports: [443]", "ports: [8080]", "8080, which is one that sites"},
		"no port":               {"carnet", "ports: [5432]", "ports: [0]", "containers[0].ports[0]"},
		"our container's name":  {"carnet", "name: app", "name: net", "that of a container of ours"},
		"no database container": {"carnet", "container: db}", "container: sql}", "database.container"},
		"a hook nowhere":        {"carnet", "container: db, where", "container: sql, where", "hooks.dump.container"},
		"a socket of another":   {"carnet", "[SITE_URL, DB_PASSWORD_FILE]", "[SITE_URL, DB_SOCKET]", "unknown variable “DB_SOCKET”"},
		"a port of another":     {"vitrine", "[SITE_URL, SITE_MODE]", "[SITE_URL, DB_PORT]", "unknown variable “DB_PORT”"},
		"an unknown mode":       {"vitrine", "modes: [autonome]}", "modes: [shared]}", "containers[0].writable[1].modes[0]"},
		"a place below another": {"vitrine", "path: /data/pages,", "path: /data/pages/themes/x,", "which is bound to modes"},
		"a mode twice":          {"vitrine", "[autonome, mutualise]", "[autonome, autonome]", "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := changed(t, change.template, change.old, change.new); err == nil || !strings.Contains(err.Error(), change.told) {
				t.Errorf("got %v, want %q", err, change.told)
			}
		})
	}
}
