package reverseproxy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"chatiere/reverseproxy"
)

func get(t *testing.T, client *http.Client, url string) (*http.Response, string) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestPageIsServedFromTheUpstreamOfItsHost(t *testing.T) {
	page := strings.Repeat("bonjour ", 2048)
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "nginx/1.26")
		w.Header().Set("X-Powered-By", "PHP/8.4")
		w.Header().Set("X-Own", "kept")
		io.WriteString(w, page)
	})
	p := start(t, nil, serving(socket))
	both(t, p, func(t *testing.T, client *http.Client) {
		resp, body := get(t, client, "https://"+siteHost+"/")
		if resp.StatusCode != 200 || body != page {
			t.Fatalf("status %d, %d bytes", resp.StatusCode, len(body))
		}
		if resp.Header.Get("Server") != "" || resp.Header.Get("X-Powered-By") != "" || resp.Header.Get("X-Own") != "kept" {
			t.Errorf("header %v", resp.Header)
		}
		if resp.Header.Get("X-Request-Id") == "" {
			t.Error("no request id")
		}
	})
}

func TestForwardingHeadersAreTheProxysOwn(t *testing.T) {
	var seen http.Header
	var host string
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) { seen, host = r.Header, r.Host })
	p := start(t, nil, serving(socket))
	both(t, p, func(t *testing.T, client *http.Client) {
		req, err := http.NewRequest("GET", "https://"+siteHost+":8443/", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{
			"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Prefix",
			"X-Real-Ip", "Forwarded", "X-Request-Id", "Proxy", "X_Forwarded_For", "X-Original-Url", "True-Client-Ip", "X-Chatiere-User",
		} {
			req.Header[name] = []string{"spoofed"}
		}
		if req.URL.Scheme == "https" && client.Transport.(*http.Transport).TLSNextProto != nil && !client.Transport.(*http.Transport).ForceAttemptHTTP2 {
			req.Header["Connection"] = []string{"X-Real-IP, X-Private, X-Forwarded-For"}
			req.Header["X-Private"] = []string{"between us"}
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		want := map[string]string{
			"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "X-Forwarded-Proto": "https",
			"X-Forwarded-Host": siteHost + ":8443", "X-Forwarded-Port": "8443",
			"X-Request-Id": resp.Header.Get("X-Request-Id"),
		}
		for name, value := range want {
			if got := seen.Values(name); len(got) != 1 || got[0] != value {
				t.Errorf("%s: %q, want %q", name, got, value)
			}
		}
		for name, values := range seen {
			if values[0] == "spoofed" || values[0] == "between us" {
				t.Errorf("%s came through", name)
			}
		}
		if host != siteHost+":8443" {
			t.Errorf("Host %q", host)
		}
	})
}

func TestStatesAreAnsweredWithPages(t *testing.T) {
	route := func(host string, state reverseproxy.State) reverseproxy.Route {
		return reverseproxy.Route{Host: host + "." + domain, Site: host, State: state}
	}
	gone := serving("/nonexistent/http.sock")
	gone.Host = "gone." + domain
	p := start(t, nil, route("a", reverseproxy.StateStarting), route("b", reverseproxy.StateAsleep),
		route("c", reverseproxy.StateDown), route("d", reverseproxy.StateRefused), gone)
	cases := []struct {
		host   string
		status int
		fr, en string
		retry  bool
	}{
		{"a", 503, "Ce site se prépare", "This site is getting ready", true},
		{"b", 503, "Ce site se réveille", "This site is waking up", true},
		{"c", 503, "Ce site ne répond pas", "This site is not answering", true},
		{"d", 403, "Ce site est fermé", "This site is closed", false},
		{"gone", 503, "Ce site ne répond pas", "This site is not answering", true},
		{"nobody", 404, "Aucun site à cette adresse", "No site at this address", false},
	}
	both(t, p, func(t *testing.T, client *http.Client) {
		for _, c := range cases {
			for lang, want := range map[string]string{"": c.fr, "de, fr;q=0.5": c.fr, "en-GB,en;q=0.9": c.en} {
				req, err := http.NewRequest("GET", "https://"+c.host+"."+domain+"/", nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Accept-Language", lang)
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != c.status || !strings.Contains(string(body), want) {
					t.Errorf("%s in %q: status %d, page lacks %q", c.host, lang, resp.StatusCode, want)
				}
				if (resp.Header.Get("Retry-After") != "") != c.retry {
					t.Errorf("%s: Retry-After %q", c.host, resp.Header.Get("Retry-After"))
				}
				if strings.Contains(string(body), "/nonexistent") || strings.Contains(string(body), "dial") {
					t.Errorf("%s: page tells the cause", c.host)
				}
			}
		}
	})
}

func TestPlainHTTPLeadsToHTTPSOnThePublicPort(t *testing.T) {
	p := start(t, nil, serving("/nonexistent/http.sock"))
	client := p.client(false)
	for method, status := range map[string]int{"GET": 301, "HEAD": 301, "POST": 308, "PUT": 308} {
		req, err := http.NewRequest(method, "http://"+siteHost+"/a%2Fb/?q=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if want := "https://" + siteHost + ":8443/a%2Fb/?q=1"; resp.StatusCode != status || resp.Header.Get("Location") != want {
			t.Errorf("%s: status %d to %q", method, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
	if resp, _ := get(t, client, "http://evil.example/"); resp.StatusCode != 404 || resp.Header.Get("Location") != "" {
		t.Errorf("unknown host: status %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
}

func TestSocketServesTLSWithoutAClientAddress(t *testing.T) {
	var seen string
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) { seen = r.Header.Get("X-Forwarded-For") })
	p := start(t, nil, serving(socket))
	client := p.client(true)
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", p.socket)
	}
	if resp, _ := get(t, client, "https://"+siteHost+"/"); resp.StatusCode != 200 {
		t.Fatalf("status %d", resp.StatusCode)
	}
	if seen != "192.0.0.8" {
		t.Errorf("address %q: one that somebody might trust", seen)
	}
}

func TestWithoutTableSitesSeemToStartRatherThanToBeGone(t *testing.T) {
	p := start(t, nil)
	if resp, _ := get(t, p.client(true), "https://"+siteHost+"/"); resp.StatusCode != 503 {
		t.Fatalf("status %d", resp.StatusCode)
	}
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {})
	p.write(serving(socket))
	eventually(t, "the first table is taken into use", func() bool {
		resp, _ := get(t, p.client(true), "https://"+siteHost+"/")
		return resp.StatusCode == 200
	})
}

func TestBodiesAndStatusesComeThroughUnchanged(t *testing.T) {
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/204":
			w.WriteHeader(204)
		case "/304":
			w.Header().Set("Etag", `"x"`)
			w.WriteHeader(304)
		case "/chunked":
			for i := range 100 {
				fmt.Fprintf(w, "%d;", i)
				w.(http.Flusher).Flush()
			}
		case "/trailer":
			w.Header().Set("Trailer", "X-Sum")
			io.WriteString(w, "body")
			w.Header().Set("X-Sum", "42")
		case "/hints":
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(103)
			w.Header().Del("Link")
			io.WriteString(w, "hinted")
		case "/large":
			w.Write(bytes.Repeat([]byte("x"), 3<<20))
		default:
			w.Header().Set("Content-Length", "5")
			io.WriteString(w, "hello")
		}
	})
	p := start(t, nil, serving(socket))
	both(t, p, func(t *testing.T, client *http.Client) {
		base := "https://" + siteHost
		if resp, body := get(t, client, base+"/204"); resp.StatusCode != 204 || body != "" {
			t.Errorf("204: %d %q", resp.StatusCode, body)
		}
		if resp, body := get(t, client, base+"/304"); resp.StatusCode != 304 || body != "" || resp.Header.Get("Etag") == "" {
			t.Errorf("304: %d %q", resp.StatusCode, body)
		}
		if _, body := get(t, client, base+"/chunked"); len(body) != 290 {
			t.Errorf("chunked: %d bytes", len(body))
		}
		if resp, body := get(t, client, base+"/trailer"); body != "body" || resp.Trailer.Get("X-Sum") != "42" {
			t.Errorf("trailer: %q %v", body, resp.Trailer)
		}
		if resp, body := get(t, client, base+"/hints"); resp.StatusCode != 200 || body != "hinted" || resp.Header.Get("Link") != "" {
			t.Errorf("hints: %d %q %v", resp.StatusCode, body, resp.Header)
		}
		if _, body := get(t, client, base+"/large"); len(body) != 3<<20 {
			t.Errorf("large: %d bytes", len(body))
		}
		resp, err := client.Head(base + "/head")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 || resp.ContentLength != 5 {
			t.Errorf("HEAD: %d, length %d", resp.StatusCode, resp.ContentLength)
		}
	})
}

func TestRequestsInFlightAreAnsweredBeforeTheEnd(t *testing.T) {
	arrived, leave := make(chan struct{}, 2), make(chan struct{})
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-leave
		io.WriteString(w, "whole")
	})
	p := start(t, nil, serving(socket))
	results := make(chan string, 2)
	for _, h2 := range []bool{false, true} {
		client := p.client(h2)
		go func() {
			resp, err := client.Get("https://" + siteHost + "/")
			if err != nil {
				results <- err.Error()
				return
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			results <- string(body)
		}()
		<-arrived
	}
	p.stop()
	eventually(t, "the listener closes", func() bool {
		c, err := net.DialTimeout("tcp", p.https, time.Second)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	close(leave)
	for range 2 {
		if got := <-results; got != "whole" {
			t.Errorf("answer %q", got)
		}
	}
	<-p.done
}
