//go:build e2e

package e2e_test

import (
	"context"
	"time"

	"github.com/chromedp/chromedp"

	"chatiere/panel/api"
)

// longer is patience for what WordPress itself takes its time over: fetching, unpacking, resizing.
const longer = 3 * time.Minute

// within is do for what takes longer.
func (b *tab) within(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, longer)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Steps(actions...)); err != nil {
		b.capture("failure-" + what)
		where, _ := chromedp.Run(b.ctx, chromedp.Location())
		b.Fatalf("%s: %v (at %s)", what, err, where)
	}
}

// admin opens a page of the site's administration.
func (b *tab) admin(s api.Site, path string) {
	b.Helper()
	b.within("opening "+path, chromedp.Navigate(at(s.URL)+"/wp-admin/"+path), chromedp.WaitVisible(chromedp.CSS(`#wpbody-content`)))
}

// script runs a script in the page, where what is to be clicked shows only under a pointer.
func (b *tab) script(what, js string) {
	b.Helper()
	ask(b, what, chromedp.Evaluate[int](js+";0"))
}

// agrees answers the questions WordPress asks before it deletes something.
func (b *tab) agrees() {
	b.Helper()
	b.script("agreeing", `window.confirm = () => true`)
}

func css(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.WaitVisible(chromedp.CSS(selector))
}

func click(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(css(selector), chromedp.Click(chromedp.CSS(selector)))
}
