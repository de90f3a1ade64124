//go:build e2e

package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"chatiere/panel/api"
)

// Keycloak is away: signing in says so in words, sites and API go on, an admin gets in by a one-time link, and the panel
// starts all the same.
func TestWhileKeycloakIsAwayThePanelGoesOnAndAnAdminGetsInByALink(t *testing.T) {
	i := open(t)
	run(t, "docker", "stop", i.container("keycloak"))
	t.Cleanup(func() {
		i.start(t, "keycloak")
		i.awaitPlatform(t)
	})
	run(t, "docker", "restart", i.container("panel"))
	panel := i.summary.PanelURL
	eventually(t, time.Minute, "the panel without Keycloak", func() (bool, string) {
		status, body, err := i.try(t.Context(), panel+"/auth/login")
		if err != nil {
			return false, err.Error()
		}
		return status == http.StatusServiceUnavailable && strings.Contains(body, "<h1"), http.StatusText(status)
	})
	var link api.BreakGlassLink
	eventually(t, time.Minute, "a link", func() (bool, string) {
		err := i.panel.Post(t.Context(), api.PathBreakGlass, nil, "", &link)
		if err != nil {
			return false, explain(err)
		}
		return true, ""
	})
	if left := time.Until(link.ExpiresAt); left > 15*time.Minute || left < 14*time.Minute {
		t.Errorf("the link lasts %s, want 15 minutes", left.Round(time.Second))
	}
	cookie := i.enterByLink(t, link.URL)
	if got := i.asked(t, panel+"/associations", cookie); got != http.StatusOK {
		t.Errorf("with the link's session, /associations answers %d, want 200", got)
	}
	if got := i.asked(t, panel+"/associations", nil); got == http.StatusOK {
		t.Error("without a session, /associations answers 200")
	}
	if status, _, err := i.try(t.Context(), link.URL); err != nil || status == http.StatusOK {
		t.Errorf("the link, used once, still answers %d, %v", status, err)
	}
	if status, _ := i.page(t, i.demoSite(t).URL); status != http.StatusOK {
		t.Errorf("without Keycloak, a site answers %d", status)
	}
}

// enterByLink presses the link's button and returns the session it opens.
func (i *instance) enterByLink(t *testing.T, link string) *http.Cookie {
	t.Helper()
	if status, _ := i.page(t, link); status != http.StatusOK {
		t.Fatalf("the link's page answers %d", status)
	}
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"key": {u.Query().Get("key")}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, i.summary.PanelURL+"/break-glass", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	req.Header.Set("Origin", i.summary.PanelURL)
	res, err := i.web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for _, c := range res.Cookies() {
		if strings.HasPrefix(c.Name, "__Host-") && c.Value != "" {
			return c
		}
	}
	t.Fatalf("pressing the link's button answered %s and no session", res.Status)
	return nil
}

// asked returns the status of a page for the owner of a cookie.
func (i *instance) asked(t *testing.T, address string, cookie *http.Cookie) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if cookie != nil {
		req.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
	}
	res, err := i.web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}
