//go:build e2e

package e2e_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"chatiere/panel/api"
	"chatiere/templates"
)

// exact asks a site for a path just as it is written, which no client of the library would send. Status 0 is a request
// that the proxy hung up on.
func (i *instance) exact(t *testing.T, s api.Site, path string) (status int, body string) {
	t.Helper()
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(i.config.PublicPort))
	trusted := i.web.Transport.(*http.Transport).TLSClientConfig.Clone()
	trusted.ServerName, trusted.NextProtos = s.Host, []string{"http/1.1"}
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", address, trusted)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(patience)) // a connection that cannot take it fails when it is used
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s:%d\r\nConnection: close\r\n\r\n", path, s.Host, i.config.PublicPort); err != nil {
		return 0, ""
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return res.StatusCode, string(text)
}

const (
	// program prints "ran-42-…" when it is executed; its source bears the other mark.
	program = `<?php echo 'ran-', 6*7, '-', PHP_VERSION; /* source-of-it */`
	ran     = "ran-42-"
	source  = "source-of-it"
)

// disguises are the ways in which one path can be asked for.
func disguises(path string) []string {
	plain := (&url.URL{Path: path}).EscapedPath()
	last := strings.LastIndex(plain, "/") + 1
	out := []string{plain, "/" + plain, strings.Replace(plain, "/", "/./", 1), "/x/.." + plain}
	if last < len(plain) && plain[last] != '%' {
		out = append(out, plain[:last]+fmt.Sprintf("%%%02x", plain[last])+plain[last+1:])
	}
	if strings.Contains(plain, ".") {
		out = append(out, strings.Replace(plain, ".", "%2e", 1))
	}
	return append(out, plain+"?x=1")
}

func TestEverythingOnTheRefuseListAnswers404ThroughTheProxyInEveryDisguise(t *testing.T) {
	i := open(t)
	s := i.newSite(t)
	t.Cleanup(func() { i.gone(t, s.ID) })
	catalogue, err := templates.Load(templates.Embedded())
	if err != nil {
		t.Fatal(err)
	}
	wordpress, err := catalogue.Template("wordpress")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, refusal := range wordpress.Refuse {
		for _, example := range refusal.Refused {
			rest, ours := strings.CutPrefix(example, "/wp-content/")
			if ours && !strings.HasSuffix(example, "/") && !strings.Contains(example, ".php/") {
				i.drop(t, s, rest, program)
			}
			for _, path := range disguises(example) {
				tried++
				status, body := i.exact(t, s, path)
				if status != http.StatusNotFound || strings.Contains(body, ran) || strings.Contains(body, source) {
					t.Errorf("%s (as %s) answers %d %.80q", example, path, status, body)
				}
			}
		}
		for _, example := range refusal.Allowed {
			rest, ours := strings.CutPrefix(example, "/wp-content/")
			if ours {
				i.drop(t, s, rest, example)
			}
			status, body := i.exact(t, s, (&url.URL{Path: example}).EscapedPath())
			if ours && (status != http.StatusOK || body != example) || status == 0 || status >= 500 {
				t.Errorf("%s, which is allowed, answers %d %.80q", example, status, body)
			}
		}
	}
	t.Logf("%d requests", tried)
}

// dropped are the files an intruder leaves where a site can write, below wp-content.
var dropped = []string{
	"uploads/a.php", "uploads/b.PHP", "uploads/c.php.jpg", "uploads/d.jpg.php", "uploads/e.phtml", "uploads/f.phar", "uploads/g.php5", "uploads/h.pht",
	"uploads/i.inc", "uploads/j.jpg", "uploads/k.php.", "uploads/l.php ", "uploads/m.pHp7", "uploads/n.svg", "uploads/o.txt", "uploads/p.phps", "uploads/q.shtml",
	"uploads/r.cgi", "uploads/s.php%00.jpg", `uploads/t\u.php`, "uploads/.v.php", "uploads/w.php;.jpg", "uploads/2026/11/x.php", "uploads/y.php::$DATA", "uploads/index.php",
	"upgrade/a.php", "languages/a.php", "languages/a.l10n.php", "cache/a.php", "fonts/a.php", "mu-plugins/a.php", "upgrade-temp-backup/plugins/a.php",
	"a.php", "db.php", "object-cache.php.bak", "index.php", "plugins/voisin/uploads/a.php", "plugins/voisin/cache/a.php", "plugins/voisin/.a.php", "themes/voisin/tmp/a.php",
}

// tricks are how they are asked for, beside their plain names.
var tricks = []string{
	"uploads/a.php/", "uploads/a.php/x.jpg", "uploads/a.php/x.php", "uploads/a.php%20", "uploads/a.php.", "uploads/a.php%00", "uploads/a.php%00.jpg", "uploads/a.php%0a", "uploads/a.php%2f",
	"uploads/a.php%2fx.jpg", "uploads/a.ph%70", "uploads/a%2ephp", "uploads/a%252ephp", "uploads/%61.php", "uploads//a.php", "uploads/./a.php", "uploads/x/../a.php", "uploads/a.php;.jpg",
	"uploads/a.php;x=/y.jpg", "uploads/a.php::$DATA", "uploads/a.php::%24DATA", "uploads%2fa.php", "uploads%5ca.php", `uploads\a.php`, "uploads/a.PHP", "UPLOADS/a.php",
	"uploads/j.jpg/x.php", "uploads/j.jpg/.php", "uploads/j.jpg%00.php", "uploads/j.jpg%0ax.php", "uploads/j.jpg/%2e%2e/a.php", "uploads/j.jpg;x.php", "uploads/o.txt/a.php", "uploads/n.svg/a.php",
	"uploads/c.php.jpg/x.php", "uploads/link.jpg/x.php", "uploads/link.php", "uploads/linked/page.php", "uploads/linked/page.php/x", "uploads/../uploads/a.php", "plugins/../uploads/a.php",
	"plugins/voisin/../../uploads/a.php", "plugins/voisin/..%2f..%2fuploads/a.php", "plugins/voisin/page.php/../../../uploads/a.php", "plugins%2fvoisin%2f..%2f..%2fuploads%2fa.php", "uploads/a.php?x.jpg",
	"uploads/.user.ini", "uploads/.htaccess", "plugins/voisin/.user.ini",
}

// mayBeShown are files whose words may be shown, for their names say that they are no programs.
func mayBeShown(path string) bool {
	for _, name := range []string{"uploads/j.jpg", "uploads/o.txt", "uploads/n.svg"} {
		if strings.HasSuffix(path, name) {
			return true
		}
	}
	return false
}

func TestPHPLeftWhereASiteCanWriteIsNeitherExecutedNorShown(t *testing.T) {
	i := open(t)
	s := i.newSite(t)
	t.Cleanup(func() { i.gone(t, s.ID) })
	i.drop(t, s, "plugins/voisin/page.php", `<?php echo 'page ', ini_get('user_ini.filename'), '|', ini_get('auto_prepend_file'), '|', ini_get('cgi.fix_pathinfo');`)
	for _, name := range dropped {
		i.drop(t, s, name, program)
	}
	i.drop(t, s, "uploads/j.jpg", "\xff\xd8\xff\xe0\x00\x10JFIF"+program)
	i.drop(t, s, "uploads/n.svg", `<svg xmlns="http://www.w3.org/2000/svg">`+program+`</svg>`)
	for _, place := range []string{"uploads", "plugins/voisin"} {
		i.drop(t, s, place+"/.user.ini", "auto_prepend_file=/data/wp-content/uploads/a.php\nauto_append_file=/data/wp-content/uploads/a.php\n; "+source)
		i.drop(t, s, place+"/.htaccess", "AddType application/x-httpd-php .jpg .txt # "+source)
	}
	content := filepath.Join(i.config.Paths().SiteData(s.ID), "wp-content")
	for name, to := range map[string]string{"secret.txt": "/run/secrets/site/db_password", "link.jpg": "/data/wp-content/plugins/voisin/page.php", "link.php": "/data/wp-content/plugins/voisin/page.php", "linked": "/data/wp-content/plugins/voisin"} {
		if err := os.Symlink(to, filepath.Join(content, "uploads", name)); err != nil {
			t.Fatal(err)
		}
	}
	paths := append([]string{}, tricks...)
	for _, name := range dropped {
		paths = append(paths, strings.NewReplacer("%", "%25", " ", "%20", ";", "%3b", `\`, "%5c").Replace(name))
	}
	for _, path := range paths {
		status, body := i.exact(t, s, "/wp-content/"+path)
		switch {
		case strings.Contains(body, ran), strings.HasPrefix(body, "page "):
			t.Errorf("%s was executed: %d %.120q", path, status, body)
		case strings.Contains(body, source) && !mayBeShown(path):
			t.Errorf("%s was shown: %d %.120q", path, status, body)
		}
	}
	t.Logf("%d tries", len(paths))
	if status, body := i.exact(t, s, "/wp-content/uploads/secret.txt"); status == http.StatusOK {
		t.Errorf("a link to the site's password is followed: %.100q", body)
	}
	if _, body := i.exact(t, s, "/wp-content/uploads/o.txt"); !strings.Contains(body, source) {
		t.Errorf("a plain file is not served, so that the tries above say little: %.100q", body)
	}
	// The one that may run, in the directory with the .user.ini, does so with nothing before it.
	if _, body := i.exact(t, s, "/wp-content/plugins/voisin/page.php"); body != "page ||0" {
		t.Errorf("a plugin's own page says %.200q, want no user.ini, nothing prepended, no path info", body)
	}
}
