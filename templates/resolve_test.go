package templates_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"chatiere/templates"
)

func values() templates.Values {
	return templates.Values{
		SiteID:   "s7k2m9qx4p",
		UID:      200001,
		Host:     "lilas.chatiere.localhost",
		URL:      "https://lilas.chatiere.localhost:8443",
		Database: "site_s7k2m9qx4p",
		Language: "C.UTF-8",
		TimeZone: "Europe/Paris",
		Paths:    templates.PathsUnder("/var/lib/chatiere", "s7k2m9qx4p"),
		Images:   map[string]string{"app": "sha256:" + strings.Repeat("0f", 32)},
		First:    templates.First{Title: "Les Lilas & cie", Locale: "fr_FR", AdminUser: "gestion", AdminEmail: "contact@lilas.example"},
	}
}

func resolve(t *testing.T, change func(*templates.Values)) templates.Spec {
	t.Helper()
	v := values()
	change(&v)
	spec, err := templates.Resolve(wordpress(t), "", v)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func unchanged(*templates.Values) {}

func text(t *testing.T, spec templates.Spec) string {
	t.Helper()
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(spec); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestWordPressResolvesToThisSpecification(t *testing.T) {
	golden(t, "testdata/wordpress.golden", text(t, resolve(t, unchanged)))
}

func TestResolvingTwiceGivesTheSame(t *testing.T) {
	first := text(t, resolve(t, unchanged))
	for range 20 {
		if text(t, resolve(t, unchanged)) != first {
			t.Fatal("the same values gave another specification")
		}
	}
}

func TestTheEnvironmentNamesSecretsAndHoldsNone(t *testing.T) {
	secretive := regexp.MustCompile(`PASSWORD|SECRET|KEY|TOKEN`)
	for _, entry := range resolve(t, unchanged).Front().Environment {
		name, value, _ := strings.Cut(entry, "=")
		if secretive.MatchString(name) && !(strings.HasSuffix(name, "_FILE") && strings.HasPrefix(value, "/run/secrets/site/")) {
			t.Errorf("%s does not name a file of secrets", entry)
		}
	}
}

func TestASiteIsConfined(t *testing.T) {
	front := resolve(t, unchanged).Front()
	if front.Network != "none" || !front.ReadOnlyRoot || !front.DropAll || !front.NoNewPrivilege || front.User != "200001:200001" {
		t.Errorf("got %+v", front)
	}
	if front.Limits.Memory == 0 || front.Limits.Pids == 0 || front.Limits.CPUs == 0 {
		t.Errorf("limits %+v leave something unbounded", front.Limits)
	}
	var writable []string
	for _, mount := range front.Mounts {
		if !mount.ReadOnly {
			writable = append(writable, mount.Target)
		}
	}
	if want := []string{"/data", "/run/chatiere/gate", "/run/chatiere/http"}; !slices.Equal(writable, want) {
		t.Errorf("writable are %v, want %v", writable, want)
	}
}

func TestWhatATemplateMayReachChangesNoContainer(t *testing.T) {
	template := wordpress(t)
	before := text(t, resolve(t, unchanged))
	template.Egress = append(slices.Clone(template.Egress), templates.Name{Name: "smtp.example.org", Ports: []int{587}})
	spec, err := templates.Resolve(template, "", values())
	if err != nil {
		t.Fatal(err)
	}
	if text(t, spec) != before {
		t.Error("a new port in a template's list changes the container, so that every site would be restarted")
	}
}

func TestLimitsOfASiteReplaceThoseOfTheTemplate(t *testing.T) {
	limits := resolve(t, func(v *templates.Values) { v.Limits.Memory = 512 * templates.MiB }).Front().Limits
	if limits.Memory != 512*templates.MiB || limits.Pids != 128 {
		t.Errorf("got %+v, want the site's memory and the template's pids", limits)
	}
}

func TestHooksAreReadyToRun(t *testing.T) {
	spec := resolve(t, unchanged)
	install, ok := spec.Hook("install")
	if !ok || install.Container != "app" || !install.OneShot || !slices.Contains(install.Environment, "SITE_TITLE=Les Lilas & cie") {
		t.Errorf("got %+v", install)
	}
	if cron, _ := spec.Hook("cron"); cron.Every <= 0 || len(cron.Environment) != 0 {
		t.Errorf("got %+v", cron)
	}
	if _, ok := spec.Hook("reinstall"); ok {
		t.Error("a hook that nobody wrote")
	}
}

func TestValuesThatNoSiteCanHaveAreRefused(t *testing.T) {
	for name, change := range map[string]func(*templates.Values){
		"site id":             func(v *templates.Values) { v.SiteID = "../etc" },
		"system uid":          func(v *templates.Values) { v.UID = 33 },
		"plain http":          func(v *templates.Values) { v.URL = "http://lilas.chatiere.localhost" },
		"another host":        func(v *templates.Values) { v.URL = "https://other.chatiere.localhost" },
		"path in the address": func(v *templates.Values) { v.URL += "/blog" },
		"title of two lines":  func(v *templates.Values) { v.First.Title = "a\nADMIN_USER=root" },
		"database name":       func(v *templates.Values) { v.Database = "site`; DROP" },
		"relative path":       func(v *templates.Values) { v.Paths.Data = "sites/x" },
		"path with a colon":   func(v *templates.Values) { v.Paths.Data = "/a:/b" },
		"unclean path":        func(v *templates.Values) { v.Paths.Gate = "/a/../b" },
		"no image":            func(v *templates.Values) { v.Images = nil },
		"time zone":           func(v *templates.Values) { v.TimeZone = "Europe/Paris\nX=1" },
	} {
		t.Run(name, func(t *testing.T) {
			v := values()
			change(&v)
			if _, err := templates.Resolve(wordpress(t), "", v); !errors.Is(err, templates.ErrValues) {
				t.Errorf("got %v, want ErrValues", err)
			}
		})
	}
}
