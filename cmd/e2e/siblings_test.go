//go:build e2e

package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// sibling is a plugin that sends whatever header lines it is asked for.
const sibling = `<?php
/** Plugin Name: Fratrie */
add_action('init', static function (): void {
    if (isset($_GET['fratrie'])) {
        foreach (json_decode(base64_decode($_GET['fratrie'])) as $line) {
            header($line, false);
        }
        die('<!doctype html><title>Fratrie</title><h1>dit</h1>');
    }
});
`

// says is an address of the demo's site that answers with header lines.
func (i *instance) says(t *testing.T, lines ...string) string {
	t.Helper()
	list, err := json.Marshal(lines)
	if err != nil {
		t.Fatal(err)
	}
	return at(i.demoSite(t).URL) + "/?fratrie=" + url.QueryEscape(base64.StdEncoding.EncodeToString(list))
}

func (i *instance) withSibling(t *testing.T) {
	t.Helper()
	site := i.site(t, i.demoSite(t).ID)
	i.plugin(t, site, "fratrie", sibling, nil)
	t.Cleanup(func() {
		i.wp(t, site.ID, `require_once ABSPATH . "wp-admin/includes/plugin.php"; deactivate_plugins("fratrie/fratrie.php"); unlink(WP_PLUGIN_DIR . "/fratrie/fratrie.php"); rmdir(WP_PLUGIN_DIR . "/fratrie");`)
	})
}

// A hacked site signs nobody out, leaves no cookie with its siblings, and has nobody sign in as somebody else.
func TestInTheBrowserASiteActsOnItselfAlone(t *testing.T) {
	i := open(t)
	i.withSibling(t)
	_, parent, _ := strings.Cut(i.config.IdentityHost(), ".")
	neighbour := i.config.SiteURL("voisin." + i.config.Domain)

	b := i.browse(t)
	b.signIn(i.summary.Member)
	b.do("leaving a cookie at a neighbour's", chromedp.Navigate(neighbour), chromedp.WaitVisible(chromedp.CSS(`h1`)))
	ask(b, "cookie", chromedp.Evaluate[string](`document.cookie = "sien=1; Secure; Path=/"`))
	b.do("visiting the hacked site", chromedp.Navigate(i.says(t, `Clear-Site-Data: "cookies"`, `Clear-Site-Data: "*"`,
		"Set-Cookie: plante=1; Secure; Path=/; Domain="+i.config.Domain, "Set-Cookie: autre=2; Secure; Path=/; domain=."+parent)),
		chromedp.WaitVisible(chromedp.CSS(`h1`)))
	if own := ask(b, "own cookies", chromedp.Evaluate[string](`document.cookie`)); !strings.Contains(own, "plante=1") {
		t.Errorf("the site's cookie is not its own either: %q", own)
	}
	b.do("back at the neighbour's", chromedp.Navigate(neighbour), chromedp.WaitVisible(chromedp.CSS(`h1`)))
	if left := ask(b, "cookies", chromedp.Evaluate[string](`document.cookie`)); left != "sien=1" {
		t.Errorf("the neighbour's cookies are %q", left)
	}
	b.open("/account")
	if got := b.status("/account"); got != http.StatusOK {
		t.Errorf("after the visit, /account answers %d", got)
	}

	victim := i.browse(t)
	victim.do("meeting planted cookies", chromedp.Navigate(i.says(t, i.planted(t, i.config.Domain, parent)...)), chromedp.WaitVisible(chromedp.CSS(`h1`)))
	for _, line := range i.planted(t, i.config.Domain, parent) {
		script := strings.TrimPrefix(strings.ReplaceAll(line, "; HttpOnly", ""), "Set-Cookie: ")
		ask(victim, "planting by script", chromedp.Evaluate[string](fmt.Sprintf(`document.cookie = %q`, script)))
	}
	victim.do("choosing to sign in", chromedp.Navigate(i.summary.PanelURL+"/"), chromedp.WaitVisible(chromedp.CSS(`a[href^="/auth/login"]`)),
		chromedp.Click(chromedp.CSS(`a[href^="/auth/login"]`)), chromedp.WaitVisible(chromedp.CSS(`#username`)))
}

// planted are the cookies of somebody who is signed in at Keycloak, for other domains.
func (i *instance) planted(t *testing.T, domains ...string) (lines []string) {
	t.Helper()
	attacker := i.call(t, i.summary.Outsider)
	realm, err := url.Parse(i.config.Identity.Issuer + "/")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range attacker.web.Jar.Cookies(realm) {
		names = append(names, c.Name)
		for _, domain := range domains {
			lines = append(lines, fmt.Sprintf("Set-Cookie: %s=%s; Secure; Path=%s; Domain=%s", c.Name, c.Value, realm.Path, domain))
		}
	}
	if !slices.Contains(names, "KEYCLOAK_IDENTITY") {
		t.Fatalf("the attacker's cookies at Keycloak are %q", names)
	}
	return lines
}

func TestKeycloakGetsEachOfItsCookiesOnce(t *testing.T) {
	i := open(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.config.Identity.Issuer+"/account/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", "KEYCLOAK_IDENTITY=a; KEYCLOAK_IDENTITY=b")
	res, err := i.web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusBadRequest || res.Header.Get("Clear-Site-Data") != `"cookies"` {
		t.Errorf("got %s, %v", res.Status, res.Header)
	}
}

func TestKeycloaksAdministrationIsNotPublic(t *testing.T) {
	i := open(t)
	for _, path := range []string{
		"/admin", "/admin/", "/admin/master/console/", "/admin/realms/chatiere/users", "/realms/master", "/realms/master/",
		"/realms/master/protocol/openid-connect/token", "/realms/master/.well-known/openid-configuration",
		"//admin//master/console/", "/./admin/", "/x/../admin/", "/%61dmin/", "/%2561dmin/", "/admin;x=y/master/console/", "/realms;a/master;b/account",
		"/realms/chatiere/../master/account", "/realms/chatiere/%2e%2e/master/account", "/realms/chatiere/..;/master/account",
		"/realms/%6daster/account", "/realms%2fmaster/account", `/realms\master/account`, "/realms/master%00/account", "/REALMS/Master/account",
	} {
		req := &http.Request{Method: http.MethodGet, URL: &url.URL{Scheme: "https", Host: strings.TrimPrefix(i.config.IdentityURL(), "https://"), Opaque: path}, Header: http.Header{}}
		res, err := i.web.Do(req.WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusNotFound && res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s answers %s", path, res.Status)
		}
	}
	if status, _ := i.page(t, i.config.Identity.Issuer+"/.well-known/openid-configuration"); status != http.StatusOK {
		t.Errorf("the co-op's own realm answers %d", status)
	}
}
