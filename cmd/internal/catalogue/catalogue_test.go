package catalogue_test

import (
	"errors"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"chatiere/cmd/internal/catalogue"
	"chatiere/templates"
	"chatiere/tenants"
)

// defined returns how a release of version 6.8 is made of one image.
func defined(t *testing.T, c *catalogue.Catalogue, s tenants.Site, r tenants.Release) tenants.Definition {
	t.Helper()
	r.Version = "6.8"
	r, d, err := c.Define(s, r, map[string]string{"app": digest("f00d")})
	if err != nil || len(r.Containers) != 1 || r.Containers[0] != (tenants.ReleaseContainer{Name: "app", ImageID: digest("f00d"), Front: true}) {
		t.Fatalf("the release is %+v (%v)", r, err)
	}
	if r.Mode != "autonome" || r.DatabaseEngine != "" || len(r.Places) > 0 {
		t.Errorf("the release is %+v", r)
	}
	return d
}

func container(t *testing.T, c *catalogue.Catalogue, s tenants.Site) tenants.ContainerSpec {
	t.Helper()
	return defined(t, c, s, tenants.Release{Sockets: "r1"}).Containers[0]
}

// Two releases of a site run side by side: each has sockets of its own, and a generation of data has its own directory and
// database.
func TestAReleaseHasItsOwnSocketsAndAGenerationItsOwnData(t *testing.T) {
	c := newCatalogue(t, nil, nil)
	places := func(r tenants.Release) (http, data, database string) {
		spec := defined(t, c, site(), r).Containers[0]
		for _, m := range spec.Mounts {
			switch m.Target {
			case "/run/chatiere/http":
				http = m.Source
			case "/data":
				data = m.Source
			}
		}
		for _, v := range spec.Env {
			if name, value, _ := strings.Cut(v, "="); name == "DB_NAME" {
				database = value
			}
		}
		return http, data, database
	}
	for _, want := range []struct {
		release              tenants.Release
		http, data, database string
	}{
		{tenants.Release{}, "/run/app/s7k2m9qx4p/http", "/sites/s7k2m9qx4p/data", "site_s7k2m9qx4p"},
		{tenants.Release{Sockets: "r2", Generation: 1}, "/run/app/s7k2m9qx4p/r2/http", "/sites/s7k2m9qx4p/data", "site_s7k2m9qx4p"},
		{tenants.Release{Sockets: "r3", Generation: 2}, "/run/app/s7k2m9qx4p/r3/http", "/sites/s7k2m9qx4p/data-2", "site_s7k2m9qx4p_2"},
	} {
		http, data, database := places(want.release)
		if root := "/var/lib/chatiere"; http != root+want.http || data != root+want.data || database != want.database {
			t.Errorf("release %+v: sockets %s, data %s, database %s", want.release, http, data, database)
		}
	}
}

func TestASitesContainerIsConfined(t *testing.T) {
	c := newCatalogue(t, nil, func(s *catalogue.Settings) {
		s.Limits = templates.Limits{Memory: 512 * templates.MiB, Pids: 99, CPUs: 0.5}
	})
	got := container(t, c, site())
	if got.Image != digest("f00d") || got.User != "200001:200001" || got.Network != "none" || !got.ReadOnlyRoot {
		t.Errorf("got %+v", got)
	}
	if got.MemoryBytes != 512<<20 || got.PidsLimit != 99 || got.NanoCPUs != 500_000_000 {
		t.Errorf("limits %d bytes, %d processes, %d nanoseconds: not those of the co-op", got.MemoryBytes, got.PidsLimit, got.NanoCPUs)
	}
	if got.RestartPolicy != "unless-stopped" || got.Sysctls["net.ipv4.ip_unprivileged_port_start"] != "0" {
		t.Errorf("restart %q, sysctls %v", got.RestartPolicy, got.Sysctls)
	}
	if len(got.Tmpfs) == 0 || got.Tmpfs["/tmp"] == "" || !strings.Contains(got.Tmpfs["/run"], "uid=200001") {
		t.Errorf("in memory: %v", got.Tmpfs)
	}
}

func TestASiteSeesItsOwnFilesAlone(t *testing.T) {
	spec := container(t, newCatalogue(t, nil, nil), site())
	var writable []string
	for _, m := range spec.Mounts {
		if !strings.Contains(m.Source, "/s7k2m9qx4p/") && !m.ReadOnly {
			t.Errorf("%s can be written, and is not the site's own", m.Source)
		}
		if !strings.HasPrefix(m.Source, "/var/lib/chatiere/") {
			t.Errorf("%s lies outside the data root", m.Source)
		}
		if !m.ReadOnly {
			writable = append(writable, m.Target)
		}
	}
	slices.Sort(writable)
	if want := []string{"/data", "/run/chatiere/gate", "/run/chatiere/http"}; !slices.Equal(writable, want) {
		t.Errorf("writable are %v, want %v", writable, want)
	}
}

func TestAContainersEnvironmentHoldsNoSecret(t *testing.T) {
	secretive := regexp.MustCompile(`PASS|SECRET|KEY|TOKEN|CREDENTIAL`)
	named := 0
	for _, entry := range container(t, newCatalogue(t, nil, nil), site()).Env {
		name, value, _ := strings.Cut(entry, "=")
		if !secretive.MatchString(name) {
			continue
		}
		if named++; !strings.HasSuffix(name, "_FILE") || !strings.HasPrefix(value, "/run/secrets/site/") {
			t.Errorf("%s is not the name of a file", entry)
		}
	}
	if named != 3 {
		t.Errorf("%d files of secrets are named, want those of the database, the keys and the first account", named)
	}
}

func TestASiteSpeaksTheLanguageOfItsCoop(t *testing.T) {
	for language, want := range map[string]string{"fr": "LANG=fr_FR.UTF-8", "en": "LANG=en_GB.UTF-8"} {
		c := newCatalogue(t, nil, func(s *catalogue.Settings) { s.Language = language })
		if env := container(t, c, site()).Env; !slices.Contains(env, want) || !slices.Contains(env, "TZ=Europe/Paris") ||
			!slices.Contains(env, "SITE_URL=https://amap.lilas.example:8443") {
			t.Errorf("%s: environment %q", language, env)
		}
	}
}

func TestASiteThatCannotBeIsAnError(t *testing.T) {
	s := site()
	s.UID = 33
	_, _, err := newCatalogue(t, nil, nil).Define(s, tenants.Release{Version: "6.8"}, map[string]string{"": digest("f00d")})
	if !errors.Is(err, templates.ErrValues) {
		t.Errorf("answered %v", err)
	}
}

func TestADefinitionHoldsHooksAndProbe(t *testing.T) {
	d := defined(t, newCatalogue(t, nil, nil), site(), tenants.Release{})
	hook, ok := d.Hook("install")
	if !ok || len(hook.Command) == 0 || hook.Timeout < time.Second {
		t.Errorf("install: %+v, %v", hook, ok)
	}
	if _, ok := d.Hook("dance"); ok {
		t.Error("a hook nobody wrote")
	}
	if page := d.Ready; !strings.HasPrefix(page.Path, "/") || page.Status != 200 || page.Contains == "" {
		t.Errorf("probe %+v", page)
	}
	if d.CronEvery != 5*time.Minute {
		t.Errorf("tasks every %s", d.CronEvery)
	}
}

func TestTheCoopsNamesAreAllowedBesideTheTemplates(t *testing.T) {
	ours := templates.Name{Name: "smtp.lilas.example", Ports: []int{587}}
	c := newCatalogue(t, nil, func(s *catalogue.Settings) { s.Allow = []templates.Name{ours} })
	for range 2 { // a second look must not find the first one's additions
		allowed, err := c.Allow(site())
		if err != nil {
			t.Fatal(err)
		}
		manifest, err := c.Manifest("wordpress")
		if err != nil {
			t.Fatal(err)
		}
		same := func(a, b templates.Name) bool { return a.Name == b.Name && slices.Equal(a.Ports, b.Ports) }
		if want := append(slices.Clone(manifest.Egress), ours); len(manifest.Egress) == 0 || !slices.EqualFunc(allowed, want, same) {
			t.Errorf("got %v, want %v", allowed, want)
		}
	}
	without := container(t, newCatalogue(t, nil, nil), site())
	if with := container(t, c, site()); !reflect.DeepEqual(with, without) {
		t.Errorf("a name more in egress.allow changes how a site's container is made, so that it would be restarted: %+v, before %+v", with, without)
	}
}

func TestASiteRefusesWhatItsTemplateRefuses(t *testing.T) {
	patterns, err := newCatalogue(t, nil, nil).Refuse(site())
	if err != nil || len(patterns) == 0 {
		t.Fatalf("got %v, %v", patterns, err)
	}
	if !slices.ContainsFunc(patterns, func(p string) bool {
		return regexp.MustCompile(p).MatchString("/wp-content/uploads/2026/evil.php")
	}) {
		t.Errorf("uploads are executed: %v", patterns)
	}
}

func TestWhatTheCatalogueLacksIsNotFound(t *testing.T) {
	c := newCatalogue(t, newEngine(), nil)
	unknown := tenants.Site{ID: "s7k2m9qx4p", Template: "geocities"}
	for name, ask := range map[string]func() error{
		"latest":           func() error { _, err := c.Latest("geocities"); return err },
		"manifest":         func() error { _, err := c.Manifest("geocities"); return err },
		"template":         func() error { _, _, err := c.Define(unknown, tenants.Release{}, nil); return err },
		"version":          func() error { _, _, err := c.Define(site(), tenants.Release{Version: "0.7"}, nil); return err },
		"refusals":         func() error { _, err := c.Refuse(unknown); return err },
		"names":            func() error { _, err := c.Allow(unknown); return err },
		"image":            func() error { _, err := c.Images(t.Context(), "geocities", "1", io.Discard); return err },
		"image of version": func() error { _, err := c.Images(t.Context(), "wordpress", "0.7", io.Discard); return err },
	} {
		if err := ask(); !errors.Is(err, tenants.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c.Has("wordpress", "0.7") || c.Has("geocities", "1") || !c.Has("wordpress", "6.8") {
		t.Error("Has is wrong")
	}
	if version, err := c.Latest("wordpress"); err != nil || version != "6.8" || !slices.Contains(c.Names(), "wordpress") {
		t.Errorf("wordpress is in version %q, %v", version, err)
	}
}
