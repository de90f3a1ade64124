//go:build integration

package templates_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestASiteServesItsFilesAndItsErrors looks at one site from many sides: making one takes longer than all of them.
func TestASiteServesItsFilesAndItsErrors(t *testing.T) {
	s := newSite(t, "Service")
	s.mustHook(t, "install")
	for name, test := range map[string]func(*testing.T, *site){
		"errors of the web server are marked, and those of the application are not": errorsOfTheWebServerAreMarkedAndThoseOfTheApplicationAreNot,
		"a long address and many headers reach the application":                     aLongAddressAndManyHeadersReachTheApplication,
		"an upload may be as large as WordPress says":                               anUploadMayBeAsLargeAsWordPressSays,
		"a directory without its slash is redirected where the visitor is":          aDirectoryWithoutItsSlashIsRedirectedWhereTheVisitorIs,
		"files are served whatever their names say":                                 filesAreServedWhateverTheirNamesSay,
		"addresses that are no files reach WordPress":                               addressesThatAreNoFilesReachWordPress,
		"a plugin's own file finds WordPress":                                       aPluginsOwnFileFindsWordPress,
		"links in the site's data lead nowhere":                                     linksInTheSitesDataLeadNowhere,
		"files that an .htaccess protects are not served":                           filesThatAnHtaccessProtectsAreNotServed,
		"the way to the code is made again at each start":                           theWayToTheCodeIsMadeAgainAtEachStart,
		"the first answer after a start is a page":                                  theFirstAnswerAfterAStartIsAPage,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

// Whatever WordPress lets people upload is data, and served; so are the files that plugins bring.
func filesAreServedWhateverTheirNamesSay(t *testing.T, s *site) {
	content := s.values.Paths.Data + "/wp-content/"
	for _, name := range []string{
		"uploads/bilan.key", "uploads/bilan.key.pdf", "uploads/www.jumelage.pl_.jpg", "uploads/www.jumelage.pl_-300x200.jpg", "uploads/mairie.py_.jpg",
		"uploads/Cie.Sh_.png", "uploads/site.sh.jpg", "uploads/carte.cgi.jpg", "uploads/x.php_.jpg", "uploads/x.php-1-150x150.jpg", "uploads/rapport.old_.pdf",
		"plugins/x/app.dist.js", "plugins/x/style.dist.css", "plugins/x/x.inc.js", "plugins/x/lang/fr.yml", "plugins/x/a.conf.js", "plugins/x/a.lock.js",
		"plugins/x/a.orig.js", "plugins/x/a.env.json", "plugins/x/a.log.js", "plugins/x/a.key.svg", "themes/y/style.bak.css",
	} {
		drop(t, s, content+name, "content of "+name)
		if response, body := s.get(t, "/wp-content/"+name, nil); response.StatusCode != http.StatusOK || body != "content of "+name {
			t.Errorf("%s: got %s %.60q", name, response.Status, body)
		}
	}
}

// An address that is no file is WordPress's to answer, even if it looks like one.
func addressesThatAreNoFilesReachWordPress(t *testing.T, s *site) {
	for _, slug := range []string{"licence", "license", "readme", "liesmich", "wp-config"} {
		s.platform.sql(t, "INSERT INTO "+s.values.Database+`.wp_posts (post_author, post_date, post_date_gmt, post_modified, post_modified_gmt, post_content,
			post_title, post_excerpt, to_ping, pinged, post_content_filtered, post_status, post_name, post_type)
			VALUES (1, NOW(), NOW(), NOW(), NOW(), 'words of `+slug+`', 't', '', '', '', '', 'publish', '`+slug+`', 'page')`)
		if response, body := s.get(t, "/"+slug+"/", nil); response.StatusCode != http.StatusOK || !strings.Contains(body, "words of "+slug) {
			t.Errorf("/%s/: got %s", slug, response.Status)
		}
		if response, _ := s.get(t, "/"+slug, nil); !strings.HasSuffix(response.Header.Get("Location"), "/"+slug+"/") {
			t.Errorf("/%s: got %s to %q", slug, response.Status, response.Header.Get("Location"))
		}
	}
	for _, path := range []string{"/search/notes.log", "/search/index.php", "/search/.net/", "/tag/a.sql/", "/wp-json/x/v1/app.conf", "/wp-json/x/v1/app.log", "/wp-json/x/v1/a.php"} {
		if response, body := s.get(t, path, nil); response.Header.Get(nginxError) != "" || !strings.Contains(body, "rest_no_route") && !strings.Contains(body, "<html") {
			t.Errorf("%s did not reach WordPress: %s %.80q", path, response.Status, body)
		}
	}
}

func aPluginsOwnFileFindsWordPress(t *testing.T, s *site) {
	for name, way := range map[string]string{
		"four directories up": "dirname(__FILE__, 4) . '/wp-load.php'",
		"the document root":   "$_SERVER['DOCUMENT_ROOT'] . '/wp-load.php'",
		"before wp-content":   "explode('wp-content', __FILE__)[0] . 'wp-load.php'",
		"a relative path":     "'../../../wp-load.php'",
		"the blog header":     "dirname(__FILE__, 4) . '/wp-blog-header.php'",
		"the configuration":   "dirname(__FILE__, 4) . '/wp-config.php'",
		"the code itself":     "ABSPATH_OF_PLUGIN . '/wp-load.php'",
	} {
		t.Run(name, func(t *testing.T) {
			drop(t, s, s.values.Paths.Data+"/wp-content/plugins/seul/seul.php",
				"<?php define('ABSPATH_OF_PLUGIN', '/opt/wordpress'); require "+way+"; require_once '/opt/wordpress/wp-load.php'; echo 'url ', get_option('siteurl'), ' in ', ABSPATH;")
			if response, body := s.get(t, "/wp-content/plugins/seul/seul.php", nil); !strings.HasSuffix(body, "url "+s.values.URL+" in /opt/wordpress/") {
				t.Errorf("got %s %.200q", response.Status, body)
			}
			if _, err := run(nil, "docker", "exec", s.container, "sh", "-c", "kill -USR2 $(pidof -s php-fpm8.4)"); err != nil { // forget the code of before
				t.Fatal(err)
			}
			s.awaitServer(t)
		})
	}
	roots := map[string]bool{}
	drop(t, s, s.values.Paths.Data+"/wp-content/plugins/ou/ou.php", "<?php echo $_SERVER['DOCUMENT_ROOT'];")
	_, body := s.get(t, "/wp-content/plugins/ou/ou.php", nil)
	roots[body] = true
	drop(t, s, s.values.Paths.Data+"/wp-content/plugins/ou/ou.php", "<?php /** Plugin Name: Ou */ add_action('init', fn () => isset($_GET['ou']) && die($_SERVER['DOCUMENT_ROOT']));")
	s.platform.sql(t, "UPDATE "+s.values.Database+`.wp_options SET option_value = 'a:1:{i:0;s:9:"ou/ou.php";}' WHERE option_name = 'active_plugins'`)
	_, body = s.get(t, "/?ou", nil)
	roots[body] = true
	if len(roots) != 1 {
		t.Errorf("there is more than one document root: %v", roots)
	}
	for _, path := range []string{"/wp-load.php", "/wp-config.php", "/wp-settings.php"} {
		if response, _ := s.get(t, path, nil); response.StatusCode != http.StatusNotFound {
			t.Errorf("%s is served: %s", path, response.Status)
		}
	}
}

// awaitLink waits until a file of the code can be reached from the site's data.
func (s *site) awaitLink(name string) error {
	return await(20*time.Second, func() error {
		to, err := os.Readlink(filepath.Join(s.values.Paths.Data, name))
		if err == nil && to != "/opt/wordpress/"+name {
			err = fmt.Errorf("%s leads to %q", name, to)
		}
		return err
	})
}

// What makes the site find its code is made again by each start, whatever the site did to it.
func theWayToTheCodeIsMadeAgainAtEachStart(t *testing.T, s *site) {
	if err := s.awaitLink("xmlrpc.php"); err != nil { // the last
		t.Fatal(err)
	}
	link := filepath.Join(s.values.Paths.Data, "wp-load.php")
	drop(t, s, link+".new", "<?php echo 'another';")
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(s.values.Paths.Data, "wp-blog-header.php")); err != nil {
		t.Fatal(err)
	}
	if _, err := run(nil, "docker", "restart", s.container); err != nil {
		t.Fatal(err)
	}
	s.awaitServer(t)
	for _, name := range []string{"wp-load.php", "wp-blog-header.php"} {
		if err := s.awaitLink(name); err != nil {
			t.Error(err)
		}
	}
}

// The web server starts once PHP has its sockets, also where a killed predecessor left some.
func theFirstAnswerAfterAStartIsAPage(t *testing.T, s *site) {
	for _, again := range []string{"restart", "kill"} {
		if _, err := run(nil, "docker", again, s.container); err != nil {
			t.Fatal(err)
		}
		if again == "kill" {
			if _, err := run(nil, "docker", "start", s.container); err != nil {
				t.Fatal(err)
			}
		}
		var first *http.Response
		if err := await(20*time.Second, func() (err error) {
			first, _, err = s.request(http.MethodGet, "/", nil, nil)
			return err
		}); err != nil {
			t.Fatalf("after %s: %v\n%s", again, err, s.logs())
		}
		if first.StatusCode != http.StatusOK {
			t.Errorf("after %s, the first answer is %s", again, first.Status)
		}
	}
}

// A link could lead to the site's secrets, or make a program of what was uploaded.
func linksInTheSitesDataLeadNowhere(t *testing.T, s *site) {
	content := s.values.Paths.Data + "/wp-content/"
	drop(t, s, content+"uploads/program.jpg", "<?php echo 'executed-'.'42';")
	drop(t, s, content+"plugins/x/x.js", "code of x")
	for link, to := range map[string]string{
		"uploads/password.txt": "/run/secrets/site/db_password", "uploads/secrets": "/run/secrets/site", "plugins/x/run.php": "/data/wp-content/uploads/program.jpg",
		"plugins/lie": "/data/wp-content/plugins/x", "uploads/passwd.svg": "/etc/passwd",
	} {
		if err := os.Symlink(to, content+link); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"uploads/password.txt", "uploads/secrets/db_password", "plugins/x/run.php", "plugins/lie/x.js", "uploads/passwd.svg"} {
		if response, body := s.get(t, "/wp-content/"+path, nil); response.StatusCode != http.StatusNotFound || strings.Contains(body, "executed-42") {
			t.Errorf("%s: got %s %.60q", path, response.Status, body)
		}
	}
	if response, body := s.get(t, "/wp-content/plugins/x/x.js", nil); body != "code of x" {
		t.Errorf("a plain file: got %s %.60q", response.Status, body)
	}
}
