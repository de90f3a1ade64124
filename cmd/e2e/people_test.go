//go:build e2e

package e2e_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"chatiere/cmd/internal/demo"
	"chatiere/panel/api"
)

// The volunteer's way: sign in with the second factor, create a site by the form, watch it come up, see it.
func TestInTheBrowserAVolunteerProvisionsASite(t *testing.T) {
	i := open(t)
	b := i.browse(t)
	b.do("opening the panel", chromedp.Navigate(i.summary.PanelURL+"/"), chromedp.WaitVisible(chromedp.CSS(`h1`)))
	b.examine("sign-in")
	b.do("going to Keycloak", chromedp.Click(chromedp.CSS(`a[href^="/auth/login"]`)), chromedp.WaitVisible(chromedp.CSS(`#username`)))
	b.examine("keycloak")
	b.signIn(i.summary.Admin)
	b.raise(i.summary.Admin)
	for name, path := range map[string]string{
		"today": "/", "sites": "/sites", "associations": "/associations", "association": "/associations/" + i.summary.Association,
		"association-new": "/associations/new", "bin": "/bin", "account": "/account", "site": "/sites/" + i.demoSite(t).ID,
		"journal": "/journal", "association-journal": "/associations/" + i.summary.Association + "/journal", "platform": "/platform",
		"site-suspend":  "/sites/" + i.demoSite(t).ID + "/suspend",
		"accessibility": "/accessibility", "site-delete": "/sites/" + i.demoSite(t).ID + "/delete", "not-found": "/sites/s000000000",
	} {
		b.open(path)
		b.examine(name)
	}
	b.open("/associations/" + i.summary.Association)
	b.do("going to a member's page", chromedp.Click(chromedp.CSS(`main a[href^="/people/"]`)), chromedp.WaitNotPresent(chromedp.CSS(`main a[href^="/people/"]`)))
	b.examine("person")
	b.createsSite()
}

// raise proves the second factor where the panel asks for it: an admin without it sees none of the co-op's pages.
func (b *tab) raise(p demo.Person) {
	b.Helper()
	if got := b.status("/associations"); got != 403 {
		b.Errorf("before the second factor, /associations answers an admin %d, want 403", got)
	}
	b.open("/associations")
	b.examine("second-factor")
	b.do("asking to prove it", chromedp.Click(chromedp.CSS(`a[href^="/auth/step-up"]`)), chromedp.WaitVisible(chromedp.CSS(`#otp`)))
	b.examine("keycloak-otp")
	b.prove(p)
	b.open("/associations")
	if got := b.status("/associations"); got != 200 {
		b.Fatalf("after the second factor, /associations answers %d", got)
	}
}

// createsSite fills the form, first with an address that is taken, and follows the operation to its end.
func (b *tab) createsSite() {
	b.Helper()
	name := "Les Amis du Vélo " + random()
	b.open("/sites/new?association=" + b.summary.Association)
	b.examine("site-new")
	demoHost := strings.TrimPrefix(strings.Split(at(b.demoSite(b.T).URL), ":")[1], "//")
	label, _, _ := strings.Cut(demoHost, ".")
	b.fill(name, label)
	b.do("reading what is wrong", chromedp.WaitVisible(chromedp.CSS(`#host-problem`)))
	b.examine("site-new-taken")
	b.fill(name, "velo-"+random())
	b.do("watching the operation", chromedp.WaitVisible(chromedp.CSS(`[data-events], progress, .progress`)))
	b.examine("operation")
	var made api.Site
	eventually(b.T, patience*4, "the new site", func() (bool, string) {
		var l api.List[api.Site]
		if err := b.panel.Get(b.Context(), api.PathSites+"?state=ready", &l); err != nil {
			return false, explain(err)
		}
		for _, s := range l.Items {
			if s.Name == name {
				made = s
				return true, ""
			}
		}
		return false, "not ready"
	})
	b.open("/sites/" + made.ID)
	if !strings.Contains(b.text("main"), name) {
		b.Error("the site's page does not name it")
	}
	b.do("visiting the site", chromedp.Navigate(made.URL), chromedp.WaitVisible(chromedp.CSS("body")))
	if !strings.Contains(b.text("body"), name) {
		b.Errorf("%s does not show its name", made.URL)
	}
	b.capture("wordpress")
	b.gone(b.T, made.ID)
}

func (b *tab) fill(name, host string) {
	b.Helper()
	b.do("filling the form", chromedp.SetValue(chromedp.CSS(`#name`), name), chromedp.SetValue(chromedp.CSS(`#host`), host),
		chromedp.Click(chromedp.CSS(`input[name=template][value=wordpress]`)), chromedp.Click(chromedp.CSS(`form[action="/sites"] button[type=submit]`)))
}

// A member sees their association's site and nothing of the co-op's; somebody of another association gets "not found".
func TestInTheBrowserAMemberSeesTheirSiteAndAnOutsiderDoesNot(t *testing.T) {
	i := open(t)
	site := i.demoSite(t)
	member := i.browse(t)
	member.signIn(i.summary.Member)
	member.open("/")
	member.examine("my-sites")
	if !strings.Contains(member.text("main"), strings.TrimPrefix(at(site.URL), "https://")[:4]) {
		t.Error("the member's page does not show the site")
	}
	for path, want := range map[string]int{"/sites/" + site.ID: 200, "/associations": 403, "/sites/new": 403, "/api/v1/sites/" + site.ID: 200} {
		if got := member.status(path); got != want {
			t.Errorf("a member asking for %s gets %d, want %d", path, got, want)
		}
	}
	member.open("/sites/" + site.ID)
	member.examine("member-site")
	outsider := i.browse(t)
	outsider.signIn(i.summary.Outsider)
	outsider.open("/")
	outsider.examine("outsider")
	for _, path := range []string{"/sites/" + site.ID, "/api/v1/sites/" + site.ID, "/associations/" + i.summary.Association} {
		if got := outsider.status(path); got != 404 {
			t.Errorf("an outsider asking for %s gets %d, want 404", path, got)
		}
	}
}
