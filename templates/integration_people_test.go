//go:build integration

package templates_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// signIn signs in with the password of the installation and returns the cookies.
func signIn(t *testing.T, s *site) http.Header {
	t.Helper()
	form := url.Values{"log": {"gestion"}, "pwd": {s.password}, "wp-submit": {"1"}, "redirect_to": {s.values.URL + "/wp-admin/"}}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Cookie": {"wordpress_test_cookie=WP%20Cookie%20check"}}
	response, body, err := s.request(http.MethodPost, "/wp-login.php", strings.NewReader(form.Encode()), header)
	if err != nil || response.StatusCode != http.StatusFound {
		t.Fatalf("signing in: %v %v %.200q", response, err, body)
	}
	var cookies []string
	for _, cookie := range response.Cookies() {
		if !cookie.Secure || !cookie.HttpOnly {
			t.Errorf("cookie %s is not secure", cookie.Name)
		}
		cookies = append(cookies, cookie.Name+"="+cookie.Value)
	}
	return http.Header{"Cookie": {strings.Join(cookies, "; ")}}
}

func TestAnAdministratorWorksInFrench(t *testing.T) {
	s := newSite(t, "Bureau")
	s.mustHook(t, "install")
	cookies := signIn(t, s)
	for path, contains := range map[string]string{
		"/wp-admin/":                    "Tableau de bord",
		"/wp-admin/plugins.php":         "Extensions",
		"/wp-admin/themes.php":          "Twenty Twenty-Five",
		"/wp-admin/options-general.php": "Réglages généraux",
		"/wp-admin/edit.php":            "Articles",
		"/wp-admin/site-health.php":     s.values.First.Title,
		"/wp-admin/post-new.php":        "wp-block-editor",
	} {
		response, body := s.get(t, path, cookies)
		if response.StatusCode != http.StatusOK || !strings.Contains(body, contains) {
			t.Errorf("%s: got %s, has %q: %v", path, response.Status, contains, strings.Contains(body, contains))
		}
	}
	if response, _ := s.get(t, "/wp-admin/update-core.php", cookies); response.StatusCode == http.StatusInternalServerError {
		t.Errorf("update-core: got %s", response.Status)
	}
}

func TestTwoSitesShareNothingSecret(t *testing.T) {
	one, other := newSite(t, "Une"), newSite(t, "Autre")
	one.mustHook(t, "install")
	other.mustHook(t, "install")
	cookies := signIn(t, one)
	if response, _ := one.get(t, "/wp-admin/", cookies); response.StatusCode != http.StatusOK {
		t.Fatalf("its own cookie: got %s", response.Status)
	}
	if response, _ := other.get(t, "/wp-admin/", cookies); response.StatusCode != http.StatusFound {
		t.Errorf("the cookie of another site: got %s", response.Status)
	}
	renamed := http.Header{"Cookie": {strings.ReplaceAll(cookies.Get("Cookie"), cookieHash(t, one), cookieHash(t, other))}}
	if response, _ := other.get(t, "/wp-admin/", renamed); response.StatusCode != http.StatusFound {
		t.Errorf("the renamed cookie of another site: got %s", response.Status)
	}
	secrets := func(s *site) string {
		t.Helper()
		out, err := run(nil, "docker", "exec", s.container, "php", "-r", `
			require "/opt/chatiere/hooks/load.php";
			echo AUTH_KEY, "\n", SECURE_AUTH_KEY, "\n", LOGGED_IN_KEY, "\n", NONCE_KEY, "\n", AUTH_SALT, "\n", SECURE_AUTH_SALT, "\n", LOGGED_IN_SALT, "\n", NONCE_SALT, "\n", COOKIEHASH, "\n", get_user_by("login", "gestion")->user_pass;`)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	seen := map[string]bool{}
	lines := strings.Split(secrets(one)+"\n"+secrets(other), "\n")
	for _, line := range lines {
		if len(line) < 32 || seen[line] {
			t.Errorf("%.12q… is short or used twice", line)
		}
		seen[line] = true
	}
	if len(lines) != 20 {
		t.Errorf("got %d secrets, want 20", len(lines))
	}
}

func cookieHash(t *testing.T, s *site) string {
	t.Helper()
	out, err := run(nil, "docker", "exec", s.container, "php", "-r", `require "/opt/chatiere/hooks/load.php"; echo COOKIEHASH;`)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPostsAndFilesGoThroughTheAPI(t *testing.T) {
	s := newSite(t, "Plume")
	s.mustHook(t, "install")
	password := s.mustHook(t, "application_password", "gestion", "test")
	title := "Nouvelle " + word(6)

	post := s.create(t, password, "posts", "application/json", "", strings.NewReader(fmt.Sprintf(`{"title":%q,"status":"publish"}`, title)))
	if _, body := s.get(t, "/", nil); !strings.Contains(body, title) {
		t.Error("the post is not on the home page")
	}
	link, err := url.Parse(post["link"].(string))
	if err != nil || !strings.HasPrefix(link.Path, "/nouvelle-") {
		t.Errorf("the address of the post is %v, %v", link, err)
	}
	if response, body := s.get(t, link.Path, nil); response.StatusCode != http.StatusOK || !strings.Contains(body, title) {
		t.Errorf("the post itself: got %s", response.Status)
	}

	var photo bytes.Buffer
	picture := image.NewRGBA(image.Rect(0, 0, 1600, 1200))
	for x := range 1600 {
		picture.Set(x, x*3/4, color.RGBA{R: uint8(x), G: 90, B: 40, A: 255})
	}
	if err := png.Encode(&photo, picture); err != nil {
		t.Fatal(err)
	}
	media := s.create(t, password, "media", "image/png", "lilas.png", &photo)
	details, err := json.Marshal(media["media_details"])
	if err != nil || !strings.Contains(string(details), "300x225") {
		t.Errorf("the photo was not resized: %s, %v", details, err)
	}
	address, err := url.Parse(media["source_url"].(string))
	if err != nil {
		t.Fatal(err)
	}
	response, _ := s.get(t, address.Path, nil)
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "image/png" || response.Header.Get("Cache-Control") == "" {
		t.Errorf("the photo: got %s %v", response.Status, response.Header)
	}

	again := s.mustHook(t, "application_password", "gestion", "test")
	if again == password {
		t.Error("the same password was made twice")
	}
	request, body, err := s.request(http.MethodGet, "/wp-json/wp/v2/users/me", nil, basic(password))
	if err != nil || request.StatusCode != http.StatusUnauthorized {
		t.Errorf("the password that was replaced: got %v %.80q", request, body)
	}
}

// TestABigFileFitsIntoASmallContainer sends more than the container has memory.
func TestABigFileFitsIntoASmallContainer(t *testing.T) {
	s := newSite(t, "Vidéo")
	s.mustHook(t, "install")
	password := s.mustHook(t, "application_password", "gestion", "test")
	const size = 300 << 20
	head := []byte("\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41")
	// As the media library sends it: a form with a file, which PHP does not hold in memory.
	const boundary = "chatiere-boundary"
	opening := "--" + boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"fete.mp4\"\r\nContent-Type: video/mp4\r\n\r\n"
	body := io.MultiReader(strings.NewReader(opening), bytes.NewReader(head),
		io.LimitReader(noise{}, size-int64(len(head))), strings.NewReader("\r\n--"+boundary+"--\r\n"))
	media := s.create(t, password, "media", "multipart/form-data; boundary="+boundary, "", body)
	address, err := url.Parse(media["source_url"].(string))
	if err != nil {
		t.Fatal(err)
	}
	request := http.Header{"Range": {fmt.Sprintf("bytes=%d-", size-10)}}
	if response, tail := s.get(t, address.Path, request); response.StatusCode != http.StatusPartialContent || len(tail) != 10 {
		t.Errorf("the end of the video: got %s, %d bytes", response.Status, len(tail))
	}
	if left, err := run(nil, "docker", "exec", s.container, "find", "/data/tmp", "-type", "f", "-size", "+0"); err != nil || left != "" {
		t.Errorf("left over: %s %v", left, err)
	}
}

// noise is as varied as a video: PHP reads a file without line ends whole when it looks for a picture in it.
type noise struct{}

func (noise) Read(into []byte) (int, error) {
	for i := range into {
		into[i] = byte(i * 7)
	}
	return len(into), nil
}

func basic(password string) http.Header {
	request := http.Request{Header: http.Header{}}
	request.SetBasicAuth("gestion", password)
	return request.Header
}

func (s *site) create(t *testing.T, password, kind, contentType, file string, body io.Reader) map[string]any {
	t.Helper()
	header := basic(password)
	header.Set("Content-Type", contentType)
	if file != "" {
		header.Set("Content-Disposition", `attachment; filename="`+file+`"`)
	}
	response, answer, err := s.request(http.MethodPost, "/wp-json/wp/v2/"+kind, body, header)
	if err != nil || response.StatusCode != http.StatusCreated {
		t.Fatalf("creating %s: %v %v %.300q\n%s", kind, response, err, answer, s.logs())
	}
	var made map[string]any
	if err := json.Unmarshal([]byte(answer), &made); err != nil {
		t.Fatal(err)
	}
	return made
}

// TestTheWholeTranslationIsFetchedOnce answers for the application's own site from inside PHP: what is
// tested is what the site does with the answer.
func TestTheWholeTranslationIsFetchedOnce(t *testing.T) {
	s := newSite(t, "Langue")
	s.mustHook(t, "install")
	script := `
		require "/opt/chatiere/hooks/load.php";
		$downloads = 0;
		add_filter("pre_http_request", function ($none, $args, $url) use (&$downloads) {
			if (str_contains($url, "/translations/core/")) {
				$pack = ["language" => "fr_FR", "version" => "6.8", "updated" => "2026-11-01 00:00:00", "english_name" => "French", "native_name" => "Français", "package" => "https://downloads.wordpress.org/fr_FR.zip", "iso" => ["fr"], "strings" => ["continue" => "Continuer"]];
				return ["headers" => [], "body" => json_encode(["translations" => [$pack]]), "response" => ["code" => 200, "message" => "OK"], "cookies" => [], "filename" => null];
			}
			if (str_ends_with($url, "/fr_FR.zip")) {
				$downloads++;
				$zip = new ZipArchive();
				$zip->open($args["filename"], ZipArchive::OVERWRITE | ZipArchive::CREATE);
				$zip->addFile(ABSPATH . "wp-content/languages/fr_FR.mo", "fr_FR.mo");
				$zip->addFromString("fr_FR.po", "");
				$zip->close();
				return ["headers" => [], "body" => "", "response" => ["code" => 200, "message" => "OK"], "cookies" => [], "filename" => $args["filename"]];
			}
			return new WP_Error("refused", $url);
		}, 10, 3);
		do_action("chatiere_languages");
		do_action("chatiere_languages");
		echo $downloads, " ", is_readable(WP_LANG_DIR . "/fr_FR.mo") ? "in place" : "missing", " ", get_option("chatiere_languages");`
	out, err := run(nil, "docker", "exec", s.container, "php", "-r", script)
	if want := "1 in place fr_FR 6.8 2026-11-01 00:00:00"; err != nil || out != want {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}

func TestMailIsRefusedQuicklyWithoutARelay(t *testing.T) {
	s := newSite(t, "Courrier")
	s.mustHook(t, "install")
	out, err := run(nil, "docker", "exec", s.container, "php", "-r", `
		require "/opt/chatiere/hooks/load.php";
		$begun = microtime(true);
		$sent = wp_mail("quelquun@example.org", "Bonjour", "Texte");
		echo $sent ? "sent" : "refused", microtime(true) - $begun < 6 ? " quickly" : " slowly";`)
	if err != nil || out != "refused quickly" {
		t.Errorf("got %q, %v", out, err)
	}
}
