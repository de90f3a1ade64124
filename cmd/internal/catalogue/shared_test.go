package catalogue_test

import (
	"errors"
	"io"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"chatiere/templates/templatestest"
	"chatiere/tenants"
)

const debianBase = "chatiere/base:trixie"

func carnet() tenants.Site {
	s := site()
	s.Template = "carnet"
	return s
}

func TestASiteOfSeveralContainersIsDefinedWithItsNetworkAndDatabase(t *testing.T) {
	e := newEngine()
	e.images[debianBase] = digest("deb1")
	c := catalogueOf(t, e, templatestest.Catalogue(), nil)
	images, err := c.Images(t.Context(), "carnet", "1", io.Discard)
	if err != nil || images["net"] != digest("ba5e") || len(e.builds) != 2 || len(e.pulls) != 0 {
		t.Fatalf("images %v, builds %+v, pulls %v (%v)", images, e.builds, e.pulls, err)
	}
	for i, dockerfile := range []string{"Dockerfile.db", "Dockerfile.app"} {
		if e.builds[i].dockerfile != dockerfile {
			t.Errorf("built by %s, want %s", e.builds[i].dockerfile, dockerfile)
		}
	}
	r, d, err := c.Define(carnet(), tenants.Release{Version: "1", Sockets: "r1"}, images)
	if err != nil {
		t.Fatal(err)
	}
	want := []tenants.ReleaseContainer{
		{Name: "net", ImageID: digest("ba5e")},
		{Name: "db", ImageID: images["db"]},
		{Name: "app", ImageID: images["app"], Front: true, Foreign: true},
	}
	if !slices.Equal(r.Containers, want) || r.DatabaseEngine != tenants.DatabasePostgreSQL || r.Mode != "autonome" {
		t.Errorf("the release is %+v", r)
	}
	var networks []string
	for _, spec := range d.Containers {
		networks = append(networks, spec.NetworkOwner())
	}
	if !slices.Equal(networks, []string{"", "net", "net"}) || d.Containers[0].Network != "none" {
		t.Errorf("they share the network of %q, and the first has %q", networks, d.Containers[0].Network)
	}
	if owner := d.Containers[0]; len(owner.Sysctls) != 1 || !slices.Contains(owner.Command, "tcp:127.0.0.1:8080") || len(owner.Entrypoint) != 1 {
		t.Errorf("the owner is %+v", owner)
	}
	if dump, _ := d.Hook("dump"); dump.Container != "db" {
		t.Errorf("the hook dump is %+v", dump)
	}
	if install, _ := d.Hook("install"); install.Container != "" {
		t.Errorf("the hook install is %+v: a release of before would differ", install)
	}
	if again, err := c.Built(t.Context(), "carnet", "1"); err != nil || !reflect.DeepEqual(again, images) {
		t.Errorf("without building: %v (%v)", again, err)
	}
}

func TestTheModeOfAReleaseIsKept(t *testing.T) {
	c := catalogueOf(t, newEngine(), templatestest.Catalogue(), nil)
	s := site()
	s.Template = "vitrine"
	for mode, mounts := range map[string]int{"": 0, "autonome": 0, "mutualise": 1} {
		r, d, err := c.Define(s, tenants.Release{Version: "1", Mode: mode}, map[string]string{"": digest("f00d")})
		if err != nil {
			t.Fatal(err)
		}
		readOnly := 0
		for _, m := range d.Containers[0].Mounts {
			if m.ReadOnly && m.Source == "/var/lib/chatiere/sites/s7k2m9qx4p/data/pages/themes" {
				readOnly++
			}
		}
		if want := max(mode, "autonome"); r.Mode != want || readOnly != mounts || !slices.Equal(r.Places, []string{"pages/themes"}) || r.DatabaseEngine != tenants.DatabaseNone {
			t.Errorf("asked for %q: %+v with %d places that are mounted read-only", mode, r, readOnly)
		}
	}
	if modes, err := c.Modes("vitrine"); err != nil || !slices.Equal(modes, []string{"autonome", "mutualise"}) {
		t.Errorf("modes %v (%v)", modes, err)
	}
	if _, err := c.Modes("wordpress"); !errors.Is(err, tenants.ErrNotFound) {
		t.Errorf("an unknown template: %v", err)
	}
}

// ready is vitrine as a ready image.
func ready(t *testing.T, reference string) fs.FS {
	t.Helper()
	manifest, err := fs.ReadFile(templatestest.Catalogue(), "vitrine/manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(
		"{kind: debian, suite: trixie, package: nginx}", "{kind: image, reference: "+reference+"}",
		"    build: {dockerfile: Dockerfile, base: php}\n", "", "{socket: http.sock}", "{port: 3000}",
	).Replace(string(manifest))
	return fstest.MapFS{"vitrine/manifest.yaml": {Data: []byte(text)}}
}

func TestAReadyImageIsPulledWhenItIsMissingAndOnlyThen(t *testing.T) {
	reference := "registry.example/vitrine@" + digest("9111")
	for name, c := range map[string]struct {
		there string // the reference under which it is there
		pulls int
	}{
		"missing": {"", 1}, "pulled before": {reference, 0}, "loaded from a file": {digest("9111"), 0},
	} {
		e := newEngine()
		if c.there != "" {
			e.images[c.there] = digest("9011")
		}
		catalogue := catalogueOf(t, e, ready(t, reference), nil)
		if built, err := catalogue.Built(t.Context(), "vitrine", "1"); (built == nil) != (c.pulls > 0) || err != nil || len(e.pulls) > 0 {
			t.Errorf("%s: without pulling: %v (%v), pulls %v", name, built, err, e.pulls)
		}
		for range 2 {
			images, err := catalogue.Images(t.Context(), "vitrine", "1", io.Discard)
			if err != nil || images["web"] != digest("9011") || len(e.pulls) != c.pulls || len(e.builds) > 0 {
				t.Errorf("%s: %v (%v), pulls %v, builds %v", name, images, err, e.pulls, e.builds)
			}
		}
	}
	broken := newEngine()
	broken.broken = errors.New("no registry")
	if _, err := catalogueOf(t, broken, ready(t, reference), nil).Images(t.Context(), "vitrine", "1", io.Discard); !errors.Is(err, broken.broken) {
		t.Errorf("a registry that does not answer: %v", err)
	}
}
