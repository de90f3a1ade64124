package panel_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"chatiere/panel/api"
	"chatiere/tenants/identity/identitytest"
)

// who is how somebody shows who they are.
type who struct {
	cookie string
	csrf   string
	bearer string
	local  bool
}

// ask is one request.
type ask struct {
	method, path string
	form         url.Values
	json         string
	header       map[string]string
	cookies      map[string]string
}

// reply is what came back.
type reply struct {
	status   int
	location string
	header   http.Header
	cookies  map[string]*http.Cookie
	body     string
}

// do sends a request as a browser, a program or root on the server would.
func (w *world) do(by who, a ask) reply {
	w.t.Helper()
	res := w.open(by, a)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	must(w.t, err)
	r := reply{status: res.StatusCode, location: res.Header.Get("Location"), header: res.Header, cookies: map[string]*http.Cookie{}, body: string(b)}
	for _, c := range res.Cookies() {
		r.cookies[c.Name] = c
	}
	return r
}

func (w *world) open(by who, a ask) *http.Response {
	w.t.Helper()
	if a.method == "" {
		a.method = http.MethodGet
	}
	var body io.Reader
	if a.form != nil || (a.method != http.MethodGet && a.json == "") {
		form := url.Values{}
		for k, v := range a.form {
			form[k] = v
		}
		if _, given := form["csrf"]; !given && by.csrf != "" {
			form.Set("csrf", by.csrf)
		}
		body = strings.NewReader(form.Encode())
	}
	if a.json != "" {
		body = strings.NewReader(a.json)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), a.method, "http://panel"+a.path, body)
	must(w.t, err)
	w.dress(req, by, a)
	client := w.edge
	if by.local {
		client = w.local
	}
	res, err := client.Do(req)
	must(w.t, err)
	return res
}

func (w *world) dress(req *http.Request, by who, a ask) {
	n := w.address.Add(1)
	req.Header.Set("X-Real-IP", fmt.Sprintf("198.51.%d.%d", n/250%250, n%250))
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if a.json != "" {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set(api.HeaderCSRF, by.csrf)
	} else if req.Body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if by.cookie != "" {
		req.AddCookie(&http.Cookie{Name: "__Host-chatiere", Value: by.cookie})
	}
	for name, value := range a.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if by.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+by.bearer)
	}
	for k, v := range a.header {
		if v == "" {
			req.Header.Del(k)
		} else {
			req.Header.Set(k, v)
		}
	}
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// signIn walks the whole code flow.
func (w *world) signIn(person identitytest.Claims) who {
	w.t.Helper()
	r := w.do(who{}, ask{path: "/auth/login"})
	if r.status != http.StatusSeeOther {
		w.t.Fatalf("login answered %d: %s", r.status, r.body)
	}
	q := w.issuer.Approve(w.t, r.location, person)
	binding := r.cookies["__Host-chatiere-login"].Value
	r = w.do(who{}, ask{path: "/auth/callback?" + q.Encode(), cookies: map[string]string{"__Host-chatiere-login": binding}})
	if r.status != http.StatusSeeOther || r.cookies["__Host-chatiere"] == nil {
		w.t.Fatalf("callback answered %d: %s", r.status, r.body)
	}
	by := who{cookie: r.cookies["__Host-chatiere"].Value}
	by.csrf = w.formToken(by)
	return by
}

func (w *world) formToken(by who) string {
	w.t.Helper()
	r := w.do(by, ask{path: "/account"})
	m := csrfField.FindStringSubmatch(r.body)
	if m == nil {
		w.t.Fatalf("no form token on the account page (%d)", r.status)
	}
	return m[1]
}
