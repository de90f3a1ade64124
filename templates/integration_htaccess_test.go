//go:build integration

package templates_test

import (
	"net/http"
	"strings"
	"testing"
)

// What plugins put beside the files that they protect means here what it means to Apache, and counts at once.
func filesThatAnHtaccessProtectsAreNotServed(t *testing.T, s *site) {
	content := s.values.Paths.Data + "/wp-content/"
	const both = "<IfModule mod_authz_core.c>\nRequire all denied\n</IfModule>\n<IfModule !mod_authz_core.c>\nOrder deny,allow\nDeny from all\n</IfModule>\n"
	for dir, rules := range map[string]string{
		"uploads/edd":           "Options -Indexes\ndeny from all\n<FilesMatch '\\.(jpg|png)$'>\nOrder Allow,Deny\nAllow from all\n</FilesMatch>\n",
		"uploads/cfdb7_uploads": both, "uploads/civicrm/ConfigAndLog": "order allow,deny\n", "uploads/members": "AuthType Basic\nRequire valid-user\n",
		"uploads/pictures": "<Files *.php>\ndeny from all\n</Files>\n", "uploads/webp": "RewriteEngine On\nRewriteRule ^(.+)\\.jpg$ $1.webp [L]\n",
		"plugins/prive": both, "plugins/ouvert": "<FilesMatch \"\\.php$\">\nRequire all denied\n</FilesMatch>\n",
	} {
		drop(t, s, content+dir+"/.htaccess", rules)
	}
	denied := []string{
		"uploads/edd/book.epub", "uploads/cfdb7_uploads/cv.pdf", "uploads/cfdb7_uploads/2026/plan.svg", "uploads/civicrm/ConfigAndLog/a.txt", "uploads/members/a.pdf",
		"plugins/prive/code.js", "plugins/prive/page.php", "plugins/ouvert/page.php",
	}
	allowed := []string{"uploads/edd/cover.jpg", "uploads/pictures/photo.jpg", "uploads/pictures/plan.svg", "uploads/webp/a.jpg", "uploads/free.pdf", "plugins/ouvert/code.js"}
	for _, name := range append(denied, allowed...) {
		drop(t, s, content+name, "content")
	}
	for _, name := range denied {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			response, body, err := s.request(method, "/wp-content/"+name, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode < http.StatusBadRequest || strings.Contains(body, "content") {
				t.Errorf("%s %s: got %s %.60q", method, name, response.Status, body)
			}
		}
	}
	for _, name := range allowed {
		if response, body := s.get(t, "/wp-content/"+name, nil); response.StatusCode != http.StatusOK || body != "content" {
			t.Errorf("%s: got %s %.60q", name, response.Status, body)
		}
	}
	list, body := s.get(t, "/__htaccess", http.Header{"X-Real-Ip": {"127.0.0.1"}})
	if want := `{"uploads/members/.htaccess":"require","uploads/webp/.htaccess":"rewriterule"}`; list.StatusCode != http.StatusOK || body != want {
		t.Errorf("the worker is told %s %.200q, want %q", list.Status, body, want)
	}
	if response, body := s.get(t, "/__htaccess", nil); response.StatusCode != http.StatusNotFound || strings.Contains(body, "uploads") {
		t.Errorf("a visitor is told %s %.200q", response.Status, body)
	}
	drop(t, s, content+"uploads/.htaccess", "Require all denied")
	if response, _ := s.get(t, "/wp-content/uploads/free.pdf", nil); response.StatusCode != http.StatusNotFound {
		t.Errorf("a new rule does not count: %s", response.Status)
	}
	drop(t, s, content+"uploads/.htaccess", "")
	if response, _ := s.get(t, "/wp-content/uploads/free.pdf", nil); response.StatusCode != http.StatusOK {
		t.Errorf("a rule that is gone still counts: %s", response.Status)
	}
}
