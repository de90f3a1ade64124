package wporg_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"chatiere/cmd/e2e/wporg"
)

func server(t *testing.T) *wporg.Server {
	t.Helper()
	s, err := wporg.New(wporg.NewPlugin("agenda", "Agenda partagé", "Des rendez-vous.", ""), wporg.NewTheme("papier", "Papier", "Sobre."))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ask(t *testing.T, s *wporg.Server, host, path string, form url.Values) map[string]any {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "https://"+host+path, nil)
	if form != nil {
		r = httptest.NewRequest(http.MethodPost, "https://"+host+path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%s: %v in %.200q", path, err, w.Body)
	}
	return answer
}

func TestASearchFindsByNameAndKind(t *testing.T) {
	s := server(t)
	const info = "/info/1.2/?action=query_"
	for path, want := range map[string]float64{
		"/plugins" + info + "plugins&request[search]=AGENDA": 1, "/plugins" + info + "plugins&request[search]=papier": 0,
		"/themes" + info + "themes&request[search]=papier": 1, "/themes" + info + "themes": 1,
	} {
		answer := ask(t, s, "api.wordpress.org", path, nil)
		if got := answer["info"].(map[string]any)["results"]; got != want {
			t.Errorf("%s: %v results, want %v", path, got, want)
		}
	}
	if n := s.Asked("api.wordpress.org/themes/info/1.2/"); n != 2 {
		t.Errorf("asked %d times, want 2", n)
	}
}

func TestWhatIsInstalledIsComparedWithWhatIsOffered(t *testing.T) {
	s := server(t)
	plugins := url.Values{"plugins": {`{"plugins":{"agenda/agenda.php":{"Version":"1.0"},"other/other.php":{"Version":"3"}},"active":["agenda/agenda.php"]}`}}
	themes := url.Values{"themes": {`{"active":"papier","themes":{"papier":{"Version":"1.0"}}}`}}
	count := func(path, field string, form url.Values) int {
		return len(ask(t, s, "api.wordpress.org", path, form)[field].(map[string]any))
	}
	if count("/plugins/update-check/1.1/", "plugins", plugins) != 0 || count("/plugins/update-check/1.1/", "no_update", plugins) != 1 {
		t.Error("the same version is offered as news, or not known")
	}
	s.Offer("agenda", "1.1")
	s.Offer("papier", "1.1")
	if count("/plugins/update-check/1.1/", "plugins", plugins) != 1 || count("/themes/update-check/1.1/", "themes", themes) != 1 {
		t.Error("a new version is not offered")
	}
}

func TestAPackageIsOneDirectoryOfTheVersionAsked(t *testing.T) {
	w := httptest.NewRecorder()
	server(t).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://downloads.wordpress.org/plugin/agenda.1.1.zip", nil))
	z, err := zip.NewReader(bytes.NewReader(w.Body.Bytes()), int64(w.Body.Len()))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.Open("agenda/agenda.php")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err != nil || !strings.Contains(string(text), "Version: 1.1\n") {
		t.Errorf("%s (%v)", text, err)
	}
}

func TestABulkyPluginHasSoManyFilesAndBytes(t *testing.T) {
	p := wporg.Bulky("boutique", "Boutique", 1600, 30<<20)
	size := 0
	for _, content := range p.Files {
		size += len(content)
	}
	if len(p.Files) != 1600 || size < 30<<20 || size > 33<<20 {
		t.Errorf("%d files, %d bytes", len(p.Files), size)
	}
}
