//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"chatiere/cmd/internal/demo"
	"chatiere/panel/api"
	"chatiere/tenants"
)

func (i *instance) demoSite(t *testing.T) demo.Site {
	t.Helper()
	if len(i.summary.Sites) == 0 {
		t.Fatal("the summary names no site")
	}
	return i.summary.Sites[0]
}

func TestAPostMadeThroughTheRESTInterfaceIsOnTheHomePageUntilTheSiteIsDown(t *testing.T) {
	i := open(t)
	site := i.demoSite(t)
	title := "Nouvelles " + random()
	i.publish(t, site, title)
	status, body := i.page(t, at(site.URL)+"/")
	if status != http.StatusOK || !strings.Contains(body, title) || !strings.Contains(body, `lang="fr-FR"`) {
		t.Fatalf("the home page answers %d; it holds the title: %v, lang=fr-FR: %v", status, strings.Contains(body, title), strings.Contains(body, `lang="fr-FR"`))
	}
	run(t, "docker", "stop", i.container("worker")) // or it would repair what we break
	t.Cleanup(func() { i.start(t, "worker") })
	run(t, "docker", "stop", i.container(site.ID))
	t.Cleanup(func() { i.start(t, site.ID) })
	status, body = i.page(t, at(site.URL)+"/")
	if status < 500 || strings.Contains(body, title) || !strings.Contains(body, "<html") {
		t.Errorf("with its container stopped, the site answers %d with the title: %v", status, strings.Contains(body, title))
	}
	for _, leak := range []string{i.config.Root, "http.sock", "nginx", "connect:", site.ID} {
		if strings.Contains(body, leak) {
			t.Errorf("the page for visitors tells %q", leak)
		}
	}
}

// publish makes a post with the site's application password.
func (i *instance) publish(t *testing.T, site demo.Site, title string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"title": title, "status": "publish", "content": "Bonjour."})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at(site.URL)+"/wp-json/wp/v2/posts", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(site.WPUser, site.WPAppPassword)
	req.Header.Set("Content-Type", "application/json")
	res, err := i.web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		var said bytes.Buffer
		_, _ = said.ReadFrom(res.Body)
		t.Fatalf("publishing answered %s: %.400s", res.Status, said.String())
	}
}

func TestANewSiteShowsItsNameAndSharesNothingWithAnother(t *testing.T) {
	i := open(t)
	before := i.inventory(t)
	var sites []api.Site
	for range 2 {
		name := "Chorale " + random()
		began := time.Now()
		op := i.wish(t, api.PathSites, i.siteWish(name))
		i.done(t, op, 2*time.Minute)
		s := i.site(t, op.Site)
		status, body := i.page(t, at(s.URL)+"/")
		t.Logf("ready and answering after %s", time.Since(began).Round(10*time.Millisecond))
		if status != http.StatusOK || !strings.Contains(body, name) {
			t.Fatalf("%s answers %d; its name is there: %v", s.URL, status, strings.Contains(body, name))
		}
		sites = append(sites, s)
	}
	i.unlike(t, sites[0], sites[1])
	for _, s := range sites {
		i.gone(t, s.ID)
	}
	if more, less := leftOver(before, i.inventory(t)); len(more)+len(less) > 0 {
		t.Errorf("after both are purged there is more: %v, and less: %v", more, less)
	}
}

// unlike wants two sites to share no secret, and neither to know the other's sessions.
func (i *instance) unlike(t *testing.T, a, b api.Site) {
	t.Helper()
	for _, name := range []string{"db_password", "secret_key", "admin_password"} {
		x, errX := os.ReadFile(filepath.Join(i.config.Paths().SiteSecrets(a.ID), name))
		y, errY := os.ReadFile(filepath.Join(i.config.Paths().SiteSecrets(b.ID), name))
		if errX != nil || errY != nil || bytes.Equal(x, y) {
			t.Errorf("secret %s: same %v, %v, %v", name, bytes.Equal(x, y), errX, errY)
		}
	}
	db := i.sitesDatabase(t)
	hashes := map[string]bool{}
	for _, s := range []api.Site{a, b} {
		var hash string
		if err := db.QueryRowContext(t.Context(), "SELECT user_pass FROM `"+tenants.DatabaseName(s.ID, 1)+"`.wp_users LIMIT 1").Scan(&hash); err != nil {
			t.Fatal(err)
		}
		hashes[hash] = true
	}
	if len(hashes) != 2 {
		t.Error("both sites have the same password hash")
	}
	cookie := i.wordpressLogin(t, a)
	if !i.entersAdmin(t, a, cookie) {
		t.Error("a site refuses its own session")
	}
	for n := range cookie { // under the names that the other site would look for
		cookie[n].Name = strings.ReplaceAll(cookie[n].Name, hashOf(t, cookie), hashOf(t, i.wordpressLogin(t, b)))
	}
	if i.entersAdmin(t, b, cookie) {
		t.Error("a site accepts another one's session")
	}
}

func (i *instance) wordpressLogin(t *testing.T, s api.Site) []*http.Cookie {
	t.Helper()
	password, err := os.ReadFile(filepath.Join(i.config.Paths().SiteSecrets(s.ID), "admin_password"))
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"log": {"chatiere"}, "pwd": {strings.TrimSpace(string(password))}, "testcookie": {"1"}, "wp-submit": {"x"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at(s.URL)+"/wp-login.php", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.AddCookie(&http.Cookie{Name: "wordpress_test_cookie", Value: "WP Cookie check"})
	res, err := i.web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var kept []*http.Cookie
	for _, c := range res.Cookies() {
		if strings.HasPrefix(c.Name, "wordpress_") && c.Value != "" && c.Name != "wordpress_test_cookie" {
			kept = append(kept, c)
		}
	}
	if len(kept) == 0 {
		t.Fatalf("signing in to %s answered %s and no session", s.URL, res.Status)
	}
	return kept
}

// hashOf returns the site's own part of its cookies' names.
func hashOf(t *testing.T, cookies []*http.Cookie) string {
	t.Helper()
	name := cookies[0].Name
	at := strings.LastIndexByte(name, '_')
	if at < 0 {
		t.Fatalf("cookie %s has no site's part", name)
	}
	return name[at+1:]
}

func (i *instance) entersAdmin(t *testing.T, s api.Site, cookies []*http.Cookie) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at(s.URL)+"/wp-admin/profile.php", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cookies {
		req.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	res, err := i.web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

func TestASitesContainerHasNoRightItDoesNotNeed(t *testing.T) {
	i := open(t)
	site := i.site(t, i.demoSite(t).ID)
	var all []struct {
		Config     struct{ User string }
		HostConfig struct {
			NetworkMode, CgroupnsMode string
			ReadonlyRootfs            bool
			Privileged                bool
			CapAdd, CapDrop           []string
			SecurityOpt               []string
			Memory                    int64
			PidsLimit                 *int64
			Binds                     []string
		}
		Mounts []struct{ Source, Destination string }
	}
	inspect(t, i.container(site.ID), &all)
	c := all[0]
	if c.HostConfig.NetworkMode != "none" || !c.HostConfig.ReadonlyRootfs || c.HostConfig.Privileged || len(c.HostConfig.CapAdd) > 0 {
		t.Errorf("network %s, read-only %v, privileged %v, capabilities %v", c.HostConfig.NetworkMode, c.HostConfig.ReadonlyRootfs, c.HostConfig.Privileged, c.HostConfig.CapAdd)
	}
	if strings.Join(c.HostConfig.CapDrop, "") != "ALL" || !strings.Contains(strings.Join(c.HostConfig.SecurityOpt, " "), "no-new-privileges") {
		t.Errorf("dropped %v, security options %v", c.HostConfig.CapDrop, c.HostConfig.SecurityOpt)
	}
	if c.HostConfig.Memory == 0 || c.HostConfig.PidsLimit == nil || *c.HostConfig.PidsLimit <= 0 {
		t.Errorf("memory %d, pids %v: want limits", c.HostConfig.Memory, c.HostConfig.PidsLimit)
	}
	uid, _, _ := strings.Cut(c.Config.User, ":")
	if n, err := strconv.Atoi(uid); err != nil || n < 200000 || n > 265535 {
		t.Errorf("user %q: want its own in 200000–265535", c.Config.User)
	}
	for _, role := range []string{"panel", "proxy", "gateway"} {
		var roles []struct{ Mounts []struct{ Source string } }
		inspect(t, i.container(role), &roles)
		for _, m := range roles[0].Mounts {
			if strings.Contains(m.Source, "docker.sock") || m.Source == i.config.Root || strings.HasPrefix(i.config.Paths().SitesDir(), m.Source) {
				t.Errorf("%s has %s", role, m.Source)
			}
		}
	}
}

func inspect(t *testing.T, name string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(run(t, "docker", "inspect", name)), into); err != nil {
		t.Fatal(err)
	}
}

func TestASitesPagesOutliveThePlatform(t *testing.T) {
	i := open(t)
	site := i.demoSite(t)
	roles := []string{"worker", "panel", "keycloak", "mariadb"}
	for _, role := range roles {
		run(t, "docker", "stop", i.container(role))
	}
	t.Cleanup(func() {
		for _, role := range []string{"mariadb", "keycloak", "panel", "worker"} {
			i.start(t, role)
		}
		i.awaitPlatform(t)
	})
	for range 5 {
		// A page that PHP makes for this very question: a search nobody asked before.
		word := random()
		status, body := i.page(t, at(site.URL)+"/?s="+word)
		if status != http.StatusOK || !strings.Contains(body, word) {
			t.Fatalf("with %v stopped, the site answers %d; its page is made for the question: %v", roles, status, strings.Contains(body, word))
		}
	}
}

// awaitPlatform waits until everything that was stopped answers again.
func (i *instance) awaitPlatform(t *testing.T) {
	t.Helper()
	eventually(t, 4*time.Minute, "the platform is back", func() (bool, string) {
		var d api.Diagnosis
		if err := i.panel.Get(context.WithoutCancel(t.Context()), api.PathDoctor, &d); err != nil {
			return false, explain(err)
		}
		for _, c := range d.Checks {
			if c.State == api.CheckRed && c.Name != "live-restore" {
				return false, c.Name + ": " + c.Found
			}
		}
		return true, ""
	})
}
