//go:build e2e

package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"chatiere/cmd/e2e/wporg"
	"chatiere/panel/api"
)

// catalogued is a stand-in of wordpress.org, running, and what the tests install from it.
func catalogued(t *testing.T) *wporg.Server {
	t.Helper()
	s, err := wporg.New(
		wporg.NewPlugin("carnet-de-bord", "Carnet de bord", "Un carnet pour l’équipe.", `add_action('wp_footer', static function (): void { echo '<p id="carnet">Carnet {version}</p>'; });`),
		wporg.NewTheme("papier-simple", "Papier simple", "Un thème sobre."),
		wporg.NewTheme("carton", "Carton", "Un autre thème."), // what is not searched goes away
		wporg.Bulky("grande-boutique", "Grande boutique", 1600, 30<<20),
	)
	if err != nil {
		t.Fatal(err)
	}
	closed, err := s.Listen(needed(t, "CHATIERE_TEST_PERMIT"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closed() })
	return s
}

// trusts makes a site believe the stand-in's certificates, by a plugin of its own that no catalogue has.
func (i *instance) trusts(t *testing.T, site api.Site, s *wporg.Server) {
	t.Helper()
	i.plugin(t, site, "standin-authority", `<?php
/** Plugin Name: Stand-in authority */
add_filter('http_request_args', static fn (array $args): array => ['sslcertificates' => __DIR__ . '/ca.pem'] + $args);
`, map[string]string{"ca.pem": string(s.Authority())})
}

// plugin puts a plugin into a site's own files, as an upload would, and activates it.
func (i *instance) plugin(t *testing.T, site api.Site, slug, main string, more map[string]string) {
	t.Helper()
	files := map[string]string{slug + ".php": main}
	for name, content := range more {
		files[name] = content
	}
	for name, content := range files {
		i.drop(t, site, "plugins/"+slug+"/"+name, content)
	}
	if out := i.wp(t, site.ID, `require_once ABSPATH . "wp-admin/includes/plugin.php"; $e = activate_plugin("`+slug+"/"+slug+`.php"); echo is_wp_error($e) ? $e->get_error_message() : "on";`); out != "on" {
		t.Fatalf("activating %s: %s", slug, out)
	}
}

// drop writes a file below wp-content as the site's own user, whatever its name looks like.
func (i *instance) drop(t *testing.T, site api.Site, name, content string) {
	t.Helper()
	data := i.config.Paths().SiteData(site.ID)
	path := filepath.Join(data, "wp-content", name)
	info, err := os.Stat(data)
	if err != nil {
		t.Fatal(err)
	}
	uid := int(info.Sys().(*syscall.Stat_t).Uid)
	for dir := filepath.Dir(path); !strings.HasSuffix(dir, "/wp-content"); dir = filepath.Dir(dir) {
		defer func() { _ = os.Chown(dir, uid, uid) }()
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, uid, uid); err != nil {
		t.Fatal(err)
	}
}
