package views_test

import (
	"strings"
	"testing"
	"time"

	"chatiere/panel/views"
	"chatiere/panel/views/viewstest"
)

// plain shows non-breaking spaces as "_", so that a test tells them from others.
func plain(s string) string { return strings.ReplaceAll(s, "\u00a0", "_") }

func siteWith(change func(*views.Site)) views.Site {
	p := views.Site{Base: viewstest.Admin("/"), SiteRow: viewstest.Row(), CreatedAt: viewstest.Now}
	change(&p)
	return p
}

func TestDatesAreParisTimeInEachLanguage(t *testing.T) {
	p := siteWith(func(p *views.Site) {
		p.State, p.BinnedUntil = views.SiteBinned, time.Date(2026, time.March, 1, 23, 5, 0, 0, time.UTC)
		p.CreatedAt = time.Date(2025, time.July, 31, 22, 30, 0, 0, time.UTC)
	})
	for lang, want := range map[string][]string{
		"fr": {"2_mars 2026 à 0_h_05", "1er_août 2025"},
		"en": {"2_March 2026 at 00:05", "1_August 2025"},
	} {
		page := plain(render(t, lang, p))
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("%s: no %q", lang, w)
			}
		}
	}
}

func TestRelativeTimesAreToldInWords(t *testing.T) {
	for ago, want := range map[time.Duration]string{
		time.Second:             "vérifié à l’instant",
		time.Minute:             "vérifié il y a 1 minute<",
		40 * time.Second:        "vérifié il y a 40 secondes<",
		90 * time.Minute:        "vérifié il y a 1 heure<",
		25 * time.Hour:          "vérifié hier à 13_h_05<",
		(24*31 + 1) * time.Hour: "vérifié 31_janvier 2026 à 13_h_05<",
	} {
		page := plain(render(t, "fr", siteWith(func(p *views.Site) { p.CheckedAt = viewstest.Now.Add(-ago) })))
		if !strings.Contains(page, want) {
			t.Errorf("%v ago: no %q", ago, want)
		}
	}
}

func TestSizesAndNumbersAreGrouped(t *testing.T) {
	for bytes, want := range map[int64][2]string{
		0:                     {">0_o<", ">0_B<"},
		999:                   {">999_o<", ">999_B<"},
		1_500:                 {">1,5_Ko<", ">1.5_KB<"},
		640_000_000:           {">640_Mo<", ">640_MB<"},
		999_700_000:           {">1_Go<", ">1_GB<"},
		18_240_000_000:        {">18,2_Go<", ">18.2_GB<"},
		1_235_000_000_000_000: {">1_235_To<", ">1,235_TB<"},
	} {
		p := siteWith(func(p *views.Site) { p.Disk, p.RequestsToday = views.Known(bytes), views.Known(1_234_567) })
		for i, lang := range views.Languages() {
			if page := plain(render(t, lang, p)); !strings.Contains(page, want[i]) {
				t.Errorf("%d: no %q", bytes, want[i])
			}
		}
		if page := plain(render(t, "fr", p)); !strings.Contains(page, ">1_234_567<") {
			t.Error("no 1_234_567")
		}
	}
}

func TestDurationsAreToldInTheUnitTheyDeserve(t *testing.T) {
	for took, want := range map[time.Duration]string{
		90 * time.Millisecond: "0,1_s", 2300 * time.Millisecond: "2,3_s", 42 * time.Second: "42_s",
		80 * time.Second: "1_min_20_s", 125 * time.Minute: "2_h_05_min",
	} {
		p := siteWith(func(p *views.Site) {
			p.History = []views.OperationRow{{ID: "1", Kind: views.KindResume, State: views.OperationDone, AskedAt: viewstest.Now, Took: took}}
		})
		if page := plain(render(t, "fr", p)); !strings.Contains(page, " · "+want+"<") {
			t.Errorf("%v: no %q", took, want)
		}
	}
}

func TestCountsChooseTheirForm(t *testing.T) {
	for n, want := range map[int][2]string{0: {"0 site<", "0 sites<"}, 1: {"1 site<", "1 site<"}, 2: {"2 sites<", "2 sites<"}} {
		for i, lang := range views.Languages() {
			if page := render(t, lang, views.Sites{Base: viewstest.Admin("/sites"), Total: n}); !strings.Contains(page, want[i]) {
				t.Errorf("%s, %d: no %q", lang, n, want[i])
			}
		}
	}
}

func TestWhoAskedIsToldInWords(t *testing.T) {
	set := newSet(t)
	for asked, want := range map[string]string{
		"": "Décidé par le panneau lui-même", views.OnServer: "Demandé depuis le serveur", "Jean Dupont": "Demandé par Jean Dupont",
	} {
		var out strings.Builder
		page := views.Operation{Base: viewstest.Admin("/operations/1"), Subject: "amap", AskedBy: asked, AskedAt: viewstest.Now}
		page.Progress = viewstest.Progress(views.KindProvision, views.OperationDone, 9)
		if err := set.Render(&out, views.French, page); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("asked by %q: the page does not say %q", asked, want)
		}
	}
}
