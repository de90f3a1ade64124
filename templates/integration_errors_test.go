//go:build integration

package templates_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// nginxError is how an answer says that it is nginx's own error and no page of the application.
const nginxError = "X-Chatiere-Own"

// raw sends a head just as it is written, and returns the status and the mark of the first answer.
func (s *site) raw(t *testing.T, head string) (status int, mark string) {
	t.Helper()
	conn, err := net.Dial("unix", strings.TrimPrefix(s.spec.Front().Upstream, "unix:"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// nginx may answer before it has read everything: an error of the write says nothing that the answer does not.
	_, _ = fmt.Fprint(conn, head)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer to %.60q: %v", head, err)
	}
	return response.StatusCode, response.Header.Get(nginxError)
}

func errorsOfTheWebServerAreMarkedAndThoseOfTheApplicationAreNot(t *testing.T, s *site) {
	content := s.values.Paths.Data + "/wp-content/"
	drop(t, s, content+"uploads/note.txt", "note")
	drop(t, s, content+"plugins/mort/mort.php", "<?php exec('kill -9 ' . getmypid()); sleep(9);")
	drop(t, s, content+"plugins/faux/faux.php", "<?php http_response_code(404); header('X-Chatiere-Own: 404'); echo 'of the application';")
	const host = "Host: x\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 203.0.113.7\r\n"
	for name, c := range map[string]struct {
		head string
		want int
		page string
	}{
		"a request nobody understands": {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "400"},
		"an address without end":       {"GET /?" + strings.Repeat("a", 60<<10) + " HTTP/1.1\r\n" + host + "\r\n", 414, "414"},
		"headers without end":          {"GET / HTTP/1.1\r\n" + host + "Cookie: " + strings.Repeat("a", 60<<10) + "\r\n\r\n", 431, "431"},
		"a body that is too large":     {"POST /index.php HTTP/1.1\r\n" + host + "Content-Length: 629145600\r\n\r\n", 413, "413"},
		"a missing file":               {"GET /wp-content/uploads/none.jpg HTTP/1.1\r\n" + host + "\r\n", 404, "404"},
		"a refused path":               {"GET /wp-config.php HTTP/1.1\r\n" + host + "\r\n", 404, "404"},
		"a method that files have not": {"POST /wp-content/uploads/note.txt HTTP/1.1\r\n" + host + "Content-Length: 0\r\n\r\n", 405, "400"},
		"a range behind the end":       {"GET /wp-content/uploads/note.txt HTTP/1.1\r\n" + host + "Range: bytes=99-\r\n\r\n", 416, "400"},
		"a page whose process died":    {"GET /wp-content/plugins/mort/mort.php HTTP/1.1\r\n" + host + "\r\n", 502, "502"},
		"a POST whose process died":    {"POST /wp-content/plugins/mort/mort.php HTTP/1.1\r\n" + host + "Content-Length: 1\r\n\r\nx", 502, "502"},
	} {
		status, mark := s.raw(t, c.head)
		if status != c.want || mark != c.page {
			t.Errorf("%s: got %d marked %q, want %d", name, status, mark, c.want)
		}
	}
	for _, path := range []string{"/no-such-page/", "/wp-content/plugins/faux/faux.php", "/"} {
		if response, body := s.get(t, path, nil); response.Header.Get(nginxError) != "" || body == "" {
			t.Errorf("%s, which the application answers, is marked: %s %.60q", path, response.Status, body)
		}
	}
	if response, _ := s.get(t, "/__error", nil); response.StatusCode != http.StatusNotFound {
		t.Errorf("the error's own path is to be had: %s", response.Status)
	}
}

// The proxy lets 16 KiB of address and 40 KiB with all headers through: the site has to take as much, in files and in PHP.
func aLongAddressAndManyHeadersReachTheApplication(t *testing.T, s *site) {
	drop(t, s, s.values.Paths.Data+"/wp-content/plugins/lit/lit.php",
		"<?php echo strlen($_SERVER['QUERY_STRING']), ' ', strlen($_SERVER['HTTP_COOKIE']), ' ', count($_GET['post'] ?? []);")
	const path = "/wp-content/plugins/lit/lit.php?"
	query := strings.Repeat("post%5B%5D=12345&", 16200/17)
	cookie := strings.Repeat("c", 23<<10)
	response, body := s.get(t, path+query, http.Header{"Cookie": {cookie}})
	if want := fmt.Sprintf("%d %d %d", len(query), len(cookie), strings.Count(query, "&")); body != want {
		t.Errorf("got %s %.80q, want %q", response.Status, body, want)
	}
	for name, header := range map[string]http.Header{"one large cookie": {"Cookie": {strings.Repeat("c", 38<<10)}}, "many cookies": {"Cookie": {strings.Repeat("crumb=1234567; ", 2500)}}} {
		for _, path := range []string{"/", "/wp-includes/css/dashicons.min.css"} {
			if response, _ := s.get(t, path, header); response.StatusCode != http.StatusOK {
				t.Errorf("%s with %s: got %s", path, name, response.Status)
			}
		}
	}
}

func anUploadMayBeAsLargeAsWordPressSays(t *testing.T, s *site) {
	drop(t, s, s.values.Paths.Data+"/wp-content/plugins/max/max.php",
		"<?php require '/opt/wordpress/wp-load.php'; echo wp_max_upload_size(), ' ', wp_convert_hr_to_bytes(ini_get('post_max_size'));")
	const most, form = 512 << 20, 64 << 10 // what WordPress says, and what surrounds a file in a form
	var largest, post int
	response, body := s.get(t, "/wp-content/plugins/max/max.php", nil)
	if _, err := fmt.Sscan(body, &largest, &post); err != nil || largest != most || post < most+form {
		t.Errorf("got %s %q", response.Status, body)
	}
	head := "POST /wp-admin/async-upload.php HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
	if status, _ := s.raw(t, fmt.Sprintf(head, most+form)); status != http.StatusContinue {
		t.Errorf("a file of 512 MiB in a form: got %d", status)
	}
}

func aDirectoryWithoutItsSlashIsRedirectedWhereTheVisitorIs(t *testing.T, s *site) {
	for path, want := range map[string]string{
		"/wp-admin": "/wp-admin/", "/wp-admin?a=1&b=%20": "/wp-admin/?a=1&b=%20", "/wp-admin/css": "/wp-admin/css/",
		"/wp-admin/user": "/wp-admin/user/", "/wp-includes": "/wp-includes/", "//wp-admin": "/wp-admin/",
	} {
		// The public address is the visitor's: neither scheme nor port is nginx's to say.
		if response, _ := s.get(t, path, nil); response.StatusCode != http.StatusMovedPermanently || response.Header.Get("Location") != want {
			t.Errorf("%s: got %s to %q, want %q", path, response.Status, response.Header.Get("Location"), want)
		}
	}
}
