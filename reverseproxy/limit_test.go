package reverseproxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// says sends a request and returns status, text and header of the answer.
func says(t *testing.T, client *http.Client, method, target, lang string, header http.Header) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequest(method, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Accept-Language", lang)
	req.Header.Set("Accept", "text/html")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

// cookies are n of them, each of size bytes.
func cookies(n, size int) http.Header {
	var all []string
	for i := range n {
		name := fmt.Sprintf("c%d=", i)
		all = append(all, name+strings.Repeat("x", size-len(name)))
	}
	return http.Header{"Cookie": {strings.Join(all, "; ")}}
}

// Every application is given the same, and what goes beyond is answered by a page that says what to do.
func TestAddressesAndHeadersHaveOneLimitWithPagesBeyond(t *testing.T) {
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%d", len(r.RequestURI)) })
	p := start(t, nil, serving(socket))
	site := "https://" + siteHost + "/"
	long := func(n int) string { return site + "?" + strings.Repeat("x", n-2) }
	both(t, p, func(t *testing.T, client *http.Client) {
		for name, c := range map[string]struct {
			target string
			header http.Header
			status int
			fr, en string
		}{
			"address at the limit": {long(16 << 10), nil, 200, "16384", "16384"},
			"address beyond":       {long(16<<10 + 1), nil, 414, "Cette adresse est trop longue", "This address is too long"},
			"address far beyond":   {long(500 << 10), nil, 414, "Cette adresse est trop longue", "This address is too long"},
			"39 KiB of cookies":    {site, cookies(39, 1<<10), 200, "1", "1"},
			"field beyond":         {site, http.Header{"X-Long": {strings.Repeat("x", 41<<10)}}, 431, "trop d’informations", "Your browser sends too much"},
			"80 cookies":           {site, cookies(80, 1<<10), 431, "Effacer ces cookies", "Delete these cookies"},
			"all that a browser keeps": {
				site, cookies(180, 4<<10), 431, "Vous serez déconnecté·e", "You will be signed out",
			},
		} {
			for lang, text := range map[string]string{"fr": c.fr, "en": c.en} {
				status, body, _ := says(t, client, "GET", c.target, lang, c.header)
				if status != c.status || !strings.Contains(body, text) {
					t.Errorf("%s: %d, %.400s", name, status, body)
				}
			}
		}
	})
}

func TestThePageAboutCookiesCuresAndNothingElseDeletesThem(t *testing.T) {
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {})
	p := start(t, nil, serving(socket))
	both(t, p, func(t *testing.T, client *http.Client) {
		const path = "/.well-known/chatiere/clear-cookies"
		status, body, header := says(t, client, "GET", "https://"+siteHost+"/", "fr", cookies(80, 1<<10))
		if status != 431 || !strings.Contains(body, `<form class="more" method="post" action="`+path+`">`) {
			t.Errorf("the page: %d, %s", status, body)
		}
		if policy := header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self'") {
			t.Errorf("its form may lead nowhere: %s", policy)
		}
		status, _, header = says(t, client, "POST", "https://"+siteHost+path, "fr", cookies(80, 1<<10))
		if status != 200 || header.Get("Clear-Site-Data") != `"cookies"` {
			t.Errorf("the button: %d, %v", status, header)
		}
		for method, sent := range map[string]http.Header{"GET": cookies(80, 1<<10), "POST": cookies(1, 100)} {
			status, _, header := says(t, client, method, "https://"+siteHost+path, "fr", sent)
			if status == 200 || header.Get("Clear-Site-Data") != "" {
				t.Errorf("%s: %d, %v", method, status, header)
			}
		}
	})
}

func TestRequestsThatCannotBeReadAreAnsweredWithAPage(t *testing.T) {
	p := start(t, nil, serving("/nonexistent.sock"))
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"header beyond all bounds": {"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 2<<20), 431},
		"nonsense":                 {"GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n", 400},
		"two lengths":              {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
		"unknown coding":           {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: odd\r\n\r\n", 501},
	} {
		for _, plain := range []bool{false, true} {
			var c1 io.ReadWriter
			if plain {
				conn, err := p.dialFrom(t, "127.0.0.1", p.http)
				if err != nil {
					t.Fatal(err)
				}
				c1 = conn
			} else {
				c1 = p.dial(t, "http/1.1")
			}
			go io.WriteString(c1, c.request)
			resp, err := http.ReadResponse(bufio.NewReader(c1), nil)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			body, err := io.ReadAll(resp.Body)
			if resp.StatusCode != c.status || err != nil || !resp.Close || !strings.Contains(string(body), "Please") ||
				!strings.Contains(string(body), "<html lang=\"fr\">") {
				t.Errorf("%s, plain %v: %d, %v, closes %v: %.100s", name, plain, resp.StatusCode, err, resp.Close, body)
			}
		}
	}
}

// What a web server says by itself is said by us; what its application says is passed on.
func TestErrorPagesOfWebServersAreReplacedAndThoseOfApplicationsStay(t *testing.T) {
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		var status int
		fmt.Sscanf(r.URL.Path, "/%d", &status)
		if mark := r.URL.Query().Get("mark"); mark != "" {
			w.Header().Set("X-Chatiere-Own", mark)
		}
		if r.URL.Query().Has("empty") {
			w.Header()["Content-Type"] = nil
			w.WriteHeader(status)
			return
		}
		http.Error(w, "the server's words", status)
	})
	p := start(t, nil, serving(socket))
	both(t, p, func(t *testing.T, client *http.Client) {
		for query, words := range map[string][2]string{
			"400?mark=400": {"n’est pas lisible", "cannot be read"}, "408?mark=408": {"Votre envoi", "Your upload"},
			"413?mark=413": {"trop volumineux", "too large"}, "414?mark=414": {"trop longue", "too long"},
			"431?mark=431": {"trop d’informations", "sends too much"}, "502?mark=502": {"ne répond pas", "not answering"},
			"503?mark=503": {"très demandé", "very busy"}, "504?mark=504": {"ne répond pas", "not answering"},
			"414?empty": {"trop longue", "too long"}, "431?empty": {"trop d’informations", "sends too much"},
			"405?mark=400": {"n’est pas lisible", "cannot be read"}, "413": {"the server's words", "the server's words"}, "502?mark=nonsense": {"the server's words", "the server's words"},
		} {
			for i, lang := range []string{"fr", "en"} {
				status, body, header := says(t, client, "GET", "https://"+siteHost+"/"+query, lang, nil)
				if fmt.Sprint(status) != query[:3] || !strings.Contains(body, words[i]) || header.Get("X-Chatiere-Own") != "" {
					t.Errorf("%s: %d, %v, %.300s", query, status, header, body)
				}
			}
		}
		if status, body := get(t, client, "https://"+siteHost+"/404?empty"); status.StatusCode != 404 || body != "" {
			t.Errorf("an empty answer for a program: %d, %q", status.StatusCode, body)
		}
	})
}

// Long headers are taken from few at a time, so that nobody can fill the memory with them.
func TestFewLongHeadersAtOnce(t *testing.T) {
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {})
	p := start(t, nil, serving(socket))
	closed := make(chan struct{}, 30)
	for range 30 {
		c, err := p.secureFrom(t, "127.0.7.1")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nX: %s", siteHost, strings.Repeat("x", 200<<10))
			_, _ = io.Copy(io.Discard, c) // with a page or without
			closed <- struct{}{}
		}()
	}
	for range 22 {
		<-closed
	}
	status, _, _ := says(t, p.clientFrom("127.0.8.1", false), "GET", "https://"+siteHost+"/", "fr", cookies(80, 1<<10))
	if status != 431 {
		t.Errorf("another client's long header: %d", status)
	}
}
