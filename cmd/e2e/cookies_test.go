//go:build e2e

package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// A script of one site fills the whole domain with cookies: what then opens is a page that says so, and its button
// cures.
func TestInTheBrowserTooManyCookiesAreCured(t *testing.T) {
	i := open(t)
	site := at(i.demoSite(t).URL) + "/"
	b := i.browse(t)
	b.do("visiting a site", chromedp.Navigate(site), chromedp.WaitVisible(chromedp.CSS(`body.home`)))
	ask(b, "filling the domain", chromedp.Evaluate[bool](fmt.Sprintf(
		`(() => { for (let n = 0; n < 80; n++) document.cookie = "c" + n + "=" + "x".repeat(1000) + "; Secure; Path=/; Domain=%s"; return true })()`,
		i.config.Domain)))
	if size := ask(b, "their size", chromedp.Evaluate[int](`document.cookie.length`)); size < 80_000 {
		t.Fatalf("the browser keeps %d bytes of cookies", size)
	}
	b.do("visiting it again", chromedp.Navigate(site), chromedp.WaitVisible(chromedp.CSS(`form button`)))
	if words := ask(b, "the words", chromedp.Evaluate[string](`document.body.innerText`)); !strings.Contains(words, "cookies") {
		t.Errorf("the page does not name the cause: %s", words)
	}
	b.capture("too-many-cookies")
	b.do("pressing the button", click(`form button`), chromedp.WaitVisible(chromedp.CSS(`a[href="/"]`)))
	b.do("going home", click(`a[href="/"]`), chromedp.WaitVisible(chromedp.CSS(`body.home`)))
	if left := ask(b, "cookies", chromedp.Evaluate[string](`document.cookie`)); strings.Contains(left, "c1=") {
		t.Errorf("cookies are left: %.100s", left)
	}
}
