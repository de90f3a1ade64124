package reverseproxy_test

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"chatiere/reverseproxy"
)

// sharing is a route of a site whose domain other sites share.
func sharing(socket string) reverseproxy.Route {
	r := serving(socket)
	r.SharedDomain = domain
	return r
}

// setCookies maps what a site says to what reaches the visitor.
var setCookies = map[string]string{
	"a=1; Domain=lilas.test; Path=/":                  "a=1; Path=/",
	"a=1;domain=.lilas.test":                          "a=1",
	"a=1; DOMAIN = ..LILAS.Test ;Secure":              "a=1;Secure",
	"a=1;\tdOmAiN\t=\tlilas.test":                     "a=1",
	"a=1; Domain=test":                                "a=1",
	"a=1; Domain=lilas.test.":                         "a=1",
	"a=1; Domain=\"lilas.test\"":                      "a=1",
	"a=1; Domain=%6cilas.test":                        "a=1",
	"a=1; Domain=lilas。test":                          "a=1",
	"a=1; Domain=demo.lilas.test; Domain=lilas.test":  "a=1; Domain=demo.lilas.test",
	"a=1; Domain=lilas.test; Domain=demo.lilas.test":  "a=1; Domain=demo.lilas.test",
	"a=1; Domain=lilas.test; Domain=.lilas.test; b=c": "a=1; b=c",
	"a=1; Domain=panel.lilas.test":                    "a=1",
	"a=1; Domain=evil-lilas.test":                     "a=1",
	"a=1; Domain=":                                    "a=1",
	"a=1; Domain":                                     "a=1",
	"; Domain=lilas.test":                             "",
	"a=1; Domain=.Demo.lilas.test; HttpOnly":          "a=1; Domain=.Demo.lilas.test; HttpOnly",
	"Domain=lilas.test; Path=/":                       "Domain=lilas.test; Path=/", // a cookie of that name
	"a=1; Path=/domain=lilas.test":                    "a=1; Path=/domain=lilas.test",
	"a=1":                                             "a=1",
}

func TestCookiesOfASiteAreItsOwn(t *testing.T) {
	said := slices.Sorted(maps.Keys(setCookies))
	var want []string
	for _, cookie := range said {
		want = append(want, setCookies[cookie])
	}
	p := start(t, nil, sharing(backend(t, func(w http.ResponseWriter, _ *http.Request) {
		for _, cookie := range said {
			w.Header()["set-cookie"] = append(w.Header()["set-cookie"], cookie)
		}
	})))
	both(t, p, func(t *testing.T, client *http.Client) {
		resp, _ := get(t, client, "https://"+siteHost+"/")
		got := resp.Header["Set-Cookie"]
		for i := range want {
			if i >= len(got) || got[i] != want[i] {
				t.Errorf("%q became %q, want %q", said[i], got[min(i, len(got)-1)], want[i])
			}
		}
	})
}

func TestADomainOfASitesOwnKeepsItsCookies(t *testing.T) {
	const cookie = "a=1; Domain=lilas.test"
	p := start(t, nil, serving(backend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", cookie)
		w.Header().Set("Clear-Site-Data", `"*"`)
	})))
	both(t, p, func(t *testing.T, client *http.Client) {
		resp, _ := get(t, client, "https://"+siteHost+"/")
		header := resp.Header
		if header.Get("Set-Cookie") != cookie || header.Get("Clear-Site-Data") != `"*"` {
			t.Errorf("got %v", header)
		}
	})
}

func TestASiteClearsNoCookies(t *testing.T) {
	for said, want := range map[string][]string{
		`"cookies"`:                      nil,
		`"*"`:                            nil,
		`"cache", "cookies", "storage"`:  {`"cache", "storage"`},
		`"cache","cookies"`:              {`"cache"`},
		` "Cookies" ,"COOKIES"`:          nil,
		`"storage"`:                      {`"storage"`},
		`"cache`:                         nil,
		`"x,"cookies","y"`:               nil,
		`"cookies" "storage"`:            nil,
		`"executionContexts", "unknown"`: {`"executionContexts"`},
	} {
		p := start(t, nil, sharing(backend(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Clear-Site-Data", said)
			w.Header().Add("clear-site-data", `"cookies"`)
		})))
		both(t, p, func(t *testing.T, client *http.Client) {
			resp, _ := get(t, client, "https://"+siteHost+"/")
			if got := resp.Header["Clear-Site-Data"]; !slices.Equal(got, want) {
				t.Errorf("%s became %q, want %q", said, got, want)
			}
		})
	}
}

func TestInterimResponsesAndTrailersOfASiteAreConfinedToo(t *testing.T) {
	const header = "Set-Cookie: a=1; Domain=lilas.test\r\nClear-Site-Data: \"cookies\"\r\nX-Left: yes\r\n"
	p := start(t, nil, sharing(rawBackend(t, func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			return
		}
		fmt.Fprint(c, "HTTP/1.1 103 Early Hints\r\n"+header+"\r\n",
			"HTTP/1.1 200 OK\r\nTrailer: Set-Cookie, Clear-Site-Data, X-Left\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
			"2\r\nok\r\n0\r\n"+header+"\r\n")
	})))
	both(t, p, func(t *testing.T, client *http.Client) {
		var early http.Header
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
			early = http.Header(h)
			return nil
		}})
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+siteHost+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		for where, h := range map[string]http.Header{"103": early, "trailer": res.Trailer} {
			if h.Get("X-Left") != "yes" || h.Get("Set-Cookie") != "a=1" || h.Get("Clear-Site-Data") != "" {
				t.Errorf("%s: got %v", where, h)
			}
		}
	})
}

func TestAWebsocketHandshakeOfASiteIsConfinedToo(t *testing.T) {
	p := start(t, nil, sharing(rawBackend(t, func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSet-Cookie: a=1; Domain=lilas.test\r\n\r\n")
		}
	})))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+siteHost+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}
	res, err := p.client(false).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Set-Cookie") != "a=1" {
		t.Errorf("got %s %v", res.Status, res.Header)
	}
}

func TestOnlyItsOwnCookiesReachAnUpstreamThatNamesThem(t *testing.T) {
	route := serving(backend(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q", r.Header["Cookie"])
	}))
	route.Cookies = []string{"__Host-own*", "SESSION"}
	p := start(t, nil, route)
	for sent, want := range map[string]string{
		"SESSION=1; __Host-own=2; __Host-own-lang=fr":            `["SESSION=1; __Host-own=2; __Host-own-lang=fr"]`,
		"bomb=" + strings.Repeat("x", 4000) + "; SESSION=1":      `["SESSION=1"]`,
		"SESSION2=1; xSESSION=2; session=3; SESSION; SESSIONS=4": `["SESSION"]`,
		"a=1; b=2":           `[]`,
		",SESSION=1":         `[]`,
		"$Version=1;SESSION": `["SESSION"]`,
		"":                   `[]`,
	} {
		both(t, p, func(t *testing.T, client *http.Client) {
			if _, got := withCookies(t, client, sent); got != want {
				t.Errorf("%.60q: the upstream gets %s, want %s", sent, got, want)
			}
		})
	}
}

func TestACookieThatComesTwiceIsAnsweredWithAPageThatCures(t *testing.T) {
	route := serving(backend(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	route.Cookies = []string{"SESSION", "LANG"}
	p := start(t, nil, route)
	for _, sent := range [][]string{{"SESSION=1; SESSION=2"}, {"SESSION=1;LANG=fr", " SESSION =1"}, {"SESSION=1", "SESSION"}} {
		both(t, p, func(t *testing.T, client *http.Client) {
			res, page := withCookies(t, client, sent...)
			if res.StatusCode != http.StatusBadRequest || res.Header.Get("Clear-Site-Data") != `"cookies"` || !strings.Contains(page, "cookie") {
				t.Errorf("%q: got %s, %v", sent, res.Status, res.Header)
			}
		})
	}
	both(t, p, func(t *testing.T, client *http.Client) {
		if res, _ := withCookies(t, client, "a=1; a=2; SESSION=1"); res.StatusCode != http.StatusNoContent {
			t.Errorf("another's cookie twice: %s", res.Status)
		}
	})
}

func withCookies(t *testing.T, client *http.Client, cookies ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+siteHost+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header["Cookie"] = cookies
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(page)
}
