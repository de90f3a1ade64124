package views_test

import (
	"bytes"
	"strings"
	"testing"

	"chatiere/panel/views"
	"chatiere/panel/views/viewstest"
)

const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)> {{.CSRF}} ' & javascript:alert(1)`

func TestHostileNamesNeverBecomeMarkup(t *testing.T) {
	row := viewstest.Row()
	row.Name, row.Host, row.Association, row.Template = hostile, hostile, hostile, hostile
	row.URL, row.ID, row.AssociationSlug = "javascript:alert(1)", "../"+hostile, hostile
	base := viewstest.Manager("//evil.example/" + hostile)
	base.User.Name, base.CoopName, base.CoopContact = hostile, hostile, hostile
	base.Flashes = []views.Flash{{Kind: views.FlashDeleteAsked, Name: hostile}}
	progress := viewstest.Running()
	progress.Steps[0].Name, progress.Steps[0].Title = "x", hostile
	field := views.Field{Value: hostile, Problem: views.ProblemTaken}
	pages := []views.Page{
		views.MySites{Base: base, Sites: []views.SiteRow{row}}, views.Site{Base: base, SiteRow: row}, views.Sites{Base: base, Query: hostile, Total: 1},
		views.Association{Base: base, Name: hostile, Members: []views.Member{{Name: hostile}}, IdentityURL: "javascript:alert(1)"},
		views.NewSite{Base: base, Associations: []views.Choice{{Value: hostile, Label: hostile}}, Templates: []views.TemplateChoice{{Value: "w", Name: hostile, Summary: hostile}}, Name: field, Host: field, TakenBy: hostile, Proposal: hostile, Suffix: hostile},
		views.Operation{Base: base, Progress: progress, Subject: hostile, AskedBy: hostile},
		views.Confirm{Base: base, Act: views.ActPurge, Action: "javascript:alert(1)", Back: "javascript:alert(1)", Name: hostile, Host: hostile, Typed: field},
		views.Trouble{Base: base, Kind: views.TroubleConflict, Helpers: []string{hostile}, RequestID: hostile, Back: "javascript:alert(1)"},
		views.SignIn{Base: base, Return: hostile},
	}
	for _, p := range pages {
		page := render(t, "fr", p)
		if strings.Contains(page, "<script>") || strings.Contains(page, "<img") {
			t.Errorf("%T lets markup through", p)
		}
		faults, err := viewstest.Check(strings.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range faults {
			if !strings.Contains(f, neutralised) {
				t.Errorf("%T: %s", p, f)
			}
		}
	}
}

// neutralised is what html/template writes in the place of an address it does not trust.
const neutralised = "#ZgotmplZ"

func TestLanguageSwitchStaysOnThePageAndOnTheHost(t *testing.T) {
	for path, want := range map[string]string{
		"/sites?q=amap":              `href="/sites?lang=en&amp;q=amap"`,
		"":                           `href="/?lang=en"`,
		"//evil.example//x.example/": `href="/?lang=en"`,
		"/%2Fevil.example/x":         `href="/%2Fevil.example/x?lang=en"`,
		"https://evil.example":       `href="/?lang=en"`,
	} {
		if page := render(t, "fr", views.Trouble{Base: viewstest.Nobody(path), Kind: views.TroubleNotFound}); !strings.Contains(page, want) {
			t.Errorf("path %q: no %s", path, want)
		}
	}
}

func TestUnknownLanguageGetsFrench(t *testing.T) {
	if page := render(t, "de", views.Bin{Base: viewstest.Admin("/bin")}); !strings.Contains(page, `<html lang="fr">`) {
		t.Error("not French")
	}
}

func TestPageThatCannotBeDrawnWritesNothing(t *testing.T) {
	var b bytes.Buffer
	broken := views.Today{Base: viewstest.Admin("/"), Needs: []views.Need{{Kind: "nobody-has-words-for-this"}}, SitesTotal: 1}
	if err := newSet(t).Render(&b, "fr", broken); err == nil {
		t.Error("no fault for a need without words")
	}
	if b.Len() != 0 {
		t.Errorf("%d bytes written", b.Len())
	}
}

func TestProgressPartIsOneLineWithWhatThePageHas(t *testing.T) {
	var b bytes.Buffer
	if err := newSet(t).RenderPart(&b, "fr", viewstest.Running()); err != nil {
		t.Fatal(err)
	}
	part := b.String()
	if strings.ContainsAny(part, "\r\n") {
		t.Error("an event's data must be one line")
	}
	page := render(t, "fr", views.Operation{Base: viewstest.Admin("/"), Progress: viewstest.Running()})
	for _, id := range []string{`id="op-status"`, `id="op-bar"`, `id="op-steps"`, `id="op-log"`} {
		if !strings.Contains(part, id) || !strings.Contains(page, id) {
			t.Errorf("%s is not in both", id)
		}
	}
	if !strings.Contains(part, `max="3000000000" value="1200000000"`) || !strings.Contains(plain(part), "1,2_Go sur 3_Go") {
		t.Errorf("part does not tell how far its step is: %s", part)
	}
	if !strings.Contains(part, `max="9" value="6"`) || !strings.Contains(plain(part), "Installer l’application en français") {
		t.Errorf("part does not tell the progress: %s", part)
	}
}

func TestPageWeighsLessThanItsBudgetWithManySites(t *testing.T) {
	p := views.Sites{Base: viewstest.Admin("/sites"), Total: 60}
	for range 60 {
		p.Sites = append(p.Sites, viewstest.Row())
	}
	if n := len(render(t, "fr", p)); n > 100_000 {
		t.Errorf("%d bytes for 60 sites", n)
	}
}
