//go:build e2e

package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"chatiere/cmd/e2e/wporg"
	"chatiere/panel/api"
)

// What people do with plugins and themes, all of it fetched through the gateway.
func TestInTheBrowserAManagerLooksAfterPluginsAndThemes(t *testing.T) {
	i := open(t)
	org := catalogued(t)
	s := i.newSite(t)
	t.Cleanup(func() { i.gone(t, s.ID) })
	i.trusts(t, s, org)
	b := i.browse(t)
	b.do("a desk", look(1280, "light"))
	b.signIn(i.summary.Manager)
	b.entersSite(s)
	b.looksAfterAPlugin(s, org)
	b.looksAfterATheme(s, org)
	b.installsSomethingBig(s)
	b.findsTheSiteHealthy(s)
}

func (b *tab) looksAfterAPlugin(s api.Site, org *wporg.Server) {
	b.Helper()
	const slug = "carnet-de-bord"
	b.admin(s, "plugin-install.php")
	b.within("searching a plugin", chromedp.SendKeys(chromedp.CSS(`#search-plugins`), "carnet"), chromedp.WaitNotPresent(chromedp.CSS(`.plugin-card-grande-boutique`)), css(`.plugin-card-`+slug+` .install-now`))
	b.capture("wordpress-plugin-found")
	b.within("installing it", click(`.plugin-card-`+slug+` .install-now`), css(`.plugin-card-`+slug+` .activate-now`))
	b.within("activating it", click(`.plugin-card-`+slug+` .activate-now`), css(`body.plugins-php`)) // where WordPress leads by itself
	b.shows(s, "Carnet 1.0")

	b.news(s, org, slug)
	b.admin(s, "plugins.php")
	b.within("updating it", click(`tr.plugin-update-tr[data-slug="`+slug+`"] a.update-link`), css(`tr.plugin-update-tr[data-slug="`+slug+`"] .updated-message`))
	b.capture("wordpress-plugin-updated")
	b.shows(s, "Carnet 1.1")

	b.admin(s, "plugins.php")
	b.within("deactivating it", click(`#deactivate-`+slug), css(`#delete-`+slug))
	b.agrees()
	b.within("removing it", click(`#delete-`+slug), chromedp.WaitNotPresent(chromedp.CSS(`tr[data-slug="`+slug+`"]:not(.deleted):not(.plugin-deleted-tr) #delete-`+slug)))
	eventually(b.T, patience, "the plugin is gone from the disk", func() (bool, string) {
		_, err := os.Stat(filepath.Join(b.config.Paths().SiteData(s.ID), "wp-content/plugins", slug))
		return os.IsNotExist(err), "still there"
	})
}

// news puts version 1.1 into the catalogue and lets WordPress look for it, which it does once a minute at most.
func (b *tab) news(s api.Site, org *wporg.Server, slug string) {
	b.Helper()
	org.Offer(slug, "1.1")
	b.wp(b.T, s.ID, `delete_site_transient("update_plugins"); delete_site_transient("update_themes");`)
	b.admin(s, "update-core.php")
}

// shows wants words on the front page, as a visitor sees it.
func (b *tab) shows(s api.Site, words string) {
	b.Helper()
	eventually(b.T, patience, "the front page shows "+words, func() (bool, string) {
		_, body := b.page(b.T, s.URL)
		return strings.Contains(body, words), body[max(0, len(body)-300):]
	})
}

func (b *tab) looksAfterATheme(s api.Site, org *wporg.Server) {
	b.Helper()
	const slug = "papier-simple"
	b.admin(s, "theme-install.php?browse=popular")
	b.within("searching a theme", css(`#wp-filter-search-input`), chromedp.SendKeys(chromedp.CSS(`#wp-filter-search-input`), "papier"), chromedp.WaitNotPresent(chromedp.CSS(`.theme-install[data-slug="carton"]`)), css(`.theme-install[data-slug="`+slug+`"]`))
	b.script("installing it", `document.querySelector('.theme-install[data-slug="`+slug+`"]').click()`)
	b.within("installing it", chromedp.WaitReady(chromedp.CSS(`.theme[data-slug="`+slug+`"] .activate`)))
	b.capture("wordpress-theme-installed")
	b.script("activating it", `document.querySelector('.theme[data-slug="`+slug+`"] .activate').click()`)
	b.within("activating it", css(`.theme.active[data-slug="`+slug+`"]`))
	b.shows(s, "Papier simple 1.0")

	b.news(s, org, slug)
	b.admin(s, "themes.php")
	b.within("updating it", click(`.theme[data-slug="`+slug+`"] .update-message button`), css(`.theme[data-slug="`+slug+`"] .updated-message`))
	b.shows(s, "Papier simple 1.1")

	b.admin(s, "themes.php")
	b.script("going back to the first theme", `document.querySelector('.theme[data-slug="twentytwentyfive"] .activate').click()`)
	b.within("going back to the first theme", css(`.theme.active[data-slug="twentytwentyfive"]`))
	b.admin(s, "themes.php?theme="+slug)
	b.agrees()
	b.within("removing it", click(`.theme-overlay .delete-theme`))
	eventually(b.T, patience, "the theme is gone from the disk", func() (bool, string) {
		_, err := os.Stat(filepath.Join(b.config.Paths().SiteData(s.ID), "wp-content/themes", slug))
		return os.IsNotExist(err), "still there"
	})
	// Before it has the answer, WordPress asks whoever leaves the page whether they mean it, and the browser waits.
	eventually(b.T, patience, "WordPress knows that the theme is gone", func() (bool, string) {
		return !ask(b, "asking whether it waits", chromedp.Evaluate[bool](`wp.updates.ajaxLocked === true`)), "it still waits"
	})
}

// installsSomethingBig is a plugin of the size of a shop: 1,600 files, 30 MiB.
func (b *tab) installsSomethingBig(s api.Site) {
	b.Helper()
	b.admin(s, "plugin-install.php?s=boutique&tab=search&type=term")
	began := time.Now()
	b.within("installing a shop", click(`.plugin-card-grande-boutique .install-now`), css(`.plugin-card-grande-boutique .activate-now`))
	b.Logf("1,600 files installed in %s", time.Since(began).Round(100*time.Millisecond))
	b.within("activating the shop", click(`.plugin-card-grande-boutique .activate-now`), css(`body.plugins-php`))
	if got := b.wp(b.T, s.ID, `echo apply_filters("bulky_parts", 0), " ", iterator_count(new RecursiveIteratorIterator(new RecursiveDirectoryIterator(WP_PLUGIN_DIR . "/grande-boutique", FilesystemIterator::SKIP_DOTS)));`); got != "1600 1600" {
		b.Errorf("the shop says and has %s files, want 1600 1600", got)
	}
}

// findsTheSiteHealthy reads WordPress's own opinion.
func (b *tab) findsTheSiteHealthy(s api.Site) {
	b.Helper()
	b.admin(s, "site-health.php")
	eventually(b.T, longer, "Site Health has looked at everything", func() (bool, string) {
		left := ask(b, "Site Health", chromedp.Evaluate[string](`document.querySelector('.site-health-progress-wrapper').className + ' ' + (document.querySelector('.site-health-progress-label') || {}).innerText`))
		return !strings.Contains(left, "loading"), left
	})
	b.script("showing what passed", `document.querySelector('.site-health-view-passed')?.click()`)
	b.capture("wordpress-site-health")
	for _, test := range []string{"rest_availability", "loopback_requests", "scheduled_events", "dotorg_communication"} {
		block := "#health-check-accordion-block-" + test
		if !ask(b, "reading "+test, chromedp.Evaluate[bool](`!!document.querySelector("#health-check-issues-good `+block+`")`)) {
			b.Errorf("%s did not pass: %s", test, ask(b, "reading "+test, chromedp.Evaluate[string](`(document.querySelector("`+block+`") || {innerText: "absent"}).innerText`)))
		}
	}
	critical := ask(b, "critical", chromedp.Evaluate[string](`[...document.querySelectorAll('#health-check-issues-critical .health-check-accordion-heading')].map(h => h.innerText.trim()).join('; ')`))
	if critical != "" {
		b.Errorf("critical: %s", critical)
	}
}
