package views_test

import (
	"path"
	"strings"
	"testing"

	"chatiere/panel/views"
	"chatiere/panel/views/viewstest"
)

func expect(t *testing.T, page string, present, absent []string) {
	t.Helper()
	for _, s := range present {
		if !strings.Contains(page, s) {
			t.Errorf("no %q", s)
		}
	}
	for _, s := range absent {
		if strings.Contains(page, s) {
			t.Errorf("%q should not be there", s)
		}
	}
}

func TestNavigationFollowsTheRole(t *testing.T) {
	expect(t, render(t, "fr", views.Bin{Base: viewstest.Admin("/bin")}),
		[]string{`href="/associations"`, `href="/bin" aria-current="page"`, "bénévole · Coop des Lilas"}, []string{"Mes sites"})
	expect(t, render(t, "fr", views.MySites{Base: viewstest.Member("/")}),
		[]string{"Mes sites", "2 associations"}, []string{`href="/associations"`, `href="/bin"`})
	expect(t, render(t, "fr", views.SignIn{Base: viewstest.Nobody("/sign-in")}), nil, []string{"<nav", `href="/account"`})
}

func TestSitePageOffersOnlyWhatTheReaderMayDo(t *testing.T) {
	may := func(acts views.SiteActs) string {
		return render(t, "fr", siteWith(func(p *views.Site) { p.May = acts }))
	}
	all := []string{"/suspend", "/resume", "/delete", "/restore", "/purge"}
	expect(t, may(views.SiteActs{}), nil, append(all, "Ce que vous pouvez faire"))
	expect(t, may(views.SiteActs{Delete: true}), []string{"/delete"}, []string{"/suspend", "/resume", "/restore", "/purge"})
	expect(t, may(views.SiteActs{Suspend: true, Resume: true, Delete: true, Restore: true, Purge: true}), all, nil)
}

func TestMemberReadsYoursAndVolunteerReadsTheName(t *testing.T) {
	mine := siteWith(func(p *views.Site) { p.Base, p.Mine = viewstest.Member("/"), true })
	expect(t, render(t, "fr", mine), []string{"<h1>Votre site va bien</h1>"}, []string{"Détails techniques"})
	theirs := siteWith(func(p *views.Site) { p.Technical = &views.Technical{Container: "chatiere-demo-s1"} })
	expect(t, render(t, "fr", theirs), []string{"<h1>Amap du Puy va bien</h1>", "chatiere-demo-s1"}, nil)
}

func TestUnknownFiguresAreSaidToBeUnknown(t *testing.T) {
	p := siteWith(func(p *views.Site) { p.RequestsToday, p.Disk = views.Amount{}, views.Amount{} })
	expect(t, render(t, "fr", p), []string{"inconnu pour l’instant", "le chiffre reviendra tout seul"}, []string{">0_o<", "depuis minuit"})
}

func TestOperationPageRefreshesItselfOnlyWhileSomethingMoves(t *testing.T) {
	page := func(s views.OperationState, cancel, pivoted bool) string {
		return render(t, "fr", views.Operation{Base: viewstest.Admin("/"), Progress: viewstest.Progress(views.KindProvision, s, 3), Cancel: cancel, Pivoted: pivoted})
	}
	live := []string{`<noscript><meta http-equiv="refresh" content="3"></noscript>`, `/events"`, `<script src="/assets/app.`}
	expect(t, page(views.OperationRunning, true, false), append(live, `/cancel"`), nil)
	expect(t, page(views.OperationRunning, false, true), append(live, "trop tard pour annuler"), []string{`/cancel"`})
	for _, s := range []views.OperationState{views.OperationDone, views.OperationUndone, views.OperationCancelled, views.OperationStuck} {
		expect(t, page(s, false, false), nil, append(live, `/cancel"`))
	}
}

func TestStepsAreNamedByTheirKindOfOperation(t *testing.T) {
	step := func(kind views.OperationKind, name, title string) string {
		p := views.Progress{Kind: kind, State: views.OperationRunning, Steps: []views.Step{{Name: name, Title: title, State: views.StepDoing}}}
		return render(t, "fr", views.Operation{Base: viewstest.Admin("/"), Progress: p})
	}
	expect(t, step(views.KindProvision, "database", ""), []string{"Créer la base de données"}, nil)
	expect(t, step(views.KindPurge, "database", ""), []string{"Effacer la base de données"}, nil)
	expect(t, step(views.KindPurge, "new-in-some-plan", "Ranger la cave"), []string{"Ranger la cave"}, nil)
	expect(t, step(views.KindPurge, "new-in-some-plan", ""), []string{"new-in-some-plan"}, nil)
}

func TestValuesWithoutWordsGetThoseOfTheRest(t *testing.T) {
	p := views.Progress{Kind: "site.move", State: views.OperationUndone, Cause: "moon", Log: []views.LogLine{{Event: "dreamt"}}}
	expect(t, render(t, "fr", views.Operation{Base: viewstest.Admin("/"), Progress: p, Subject: "amap"}),
		[]string{"Travail sur amap", "La raison est dans le journal du serveur.", "noté"}, nil)
}

func TestWhatIsNotedBesideAnActIsToldInWordsWhereThereAreSome(t *testing.T) {
	journal := func(noted string) string {
		return render(t, "fr", views.AuditLog{Base: viewstest.Admin("/journal"), Whole: true, Rows: []views.AuditRow{
			{ID: 1, At: viewstest.Now, Who: "Léa", Kind: views.ActorPerson, Act: views.AuditSessionOpen, Detail: noted},
		}})
	}
	expect(t, journal("second factor"), []string{"<small>avec le second facteur</small>"}, []string{"second factor"})
	expect(t, journal("8f2c <b>"), []string{"<small>8f2c &lt;b&gt;</small>"}, nil)
}

func TestTakenHostIsExplainedAndAFreeOneProposed(t *testing.T) {
	p := views.NewSite{Base: viewstest.Admin("/sites/new"), Associations: []views.Choice{{Value: "amap", Label: "Amap"}},
		Templates: []views.TemplateChoice{{Value: "wordpress", Name: "WordPress"}}, Name: views.Field{Value: "Amap"},
		Host: views.Field{Value: "amap", Problem: views.ProblemTaken}, Template: views.Field{Value: "wordpress"}, Association: views.Field{Value: "amap"}, Proposal: "amap-2"}
	expect(t, render(t, "fr", p), []string{
		`aria-describedby="host-suffix host-hint host-problem" aria-invalid="true"`, "Cette adresse est déjà prise.",
		`href="/sites/new?association=amap&amp;host=amap-2&amp;name=Amap&amp;template=wordpress"`, `value="wordpress" required aria-describedby="summary-wordpress" checked`,
	}, nil)
	p.TakenBy = "l’Amap de Thiers"
	expect(t, render(t, "fr", p), []string{"déjà prise par l’Amap de Thiers"}, nil)
}

func TestTodaySpeaksFirstInASentence(t *testing.T) {
	today := views.Today{Base: viewstest.Admin("/"), SitesTotal: 3, SitesUp: 3}
	expect(t, render(t, "fr", today), []string{"<h1>Tout va bien</h1>", "Les 3 sites répondent"}, nil)
	today.Needs = []views.Need{{Kind: views.NeedWorker}, {Kind: views.NeedDiskFull, Number: 82}}
	today.Notices = []views.Notice{{Kind: views.NoticeWorkPaused}, {Kind: views.NoticeIdentityDown}}
	page := plain(render(t, "fr", today))
	expect(t, page, []string{"<h1>Deux choses ont besoin de vous</h1>", "plein à 82_%", "Le service de connexion ne répond pas"},
		[]string{"Les travaux sont en pause. Les sites"}) // told once, as a need
}

func TestDangerousActsSayWhetherThereIsAWayBack(t *testing.T) {
	ask := views.Confirm{Base: viewstest.Admin("/"), Act: views.ActPurge, Action: "/sites/s1/purge", Back: "/bin", Name: "Amap", Host: "amap.lilas.coop"}
	expect(t, render(t, "fr", ask), []string{"Personne ne pourra revenir en arrière.", `name="confirm"`, `action="/sites/s1/purge"`, `href="/bin"`}, nil)
	ask.Act, ask.Days, ask.Until = views.ActDelete, 30, viewstest.Now
	expect(t, render(t, "fr", ask), []string{"pendant 30 jours, jusqu’au"}, []string{`name="confirm"`})
}

func TestNewTokenIsShownOnce(t *testing.T) {
	p := views.Account{Base: viewstest.Admin("/account"), MayTokens: true, Scopes: []views.Scope{views.ScopeRead}, Created: &views.CreatedToken{Label: "x", Secret: "s3cret"}}
	expect(t, render(t, "fr", p), []string{"s3cret", "montrée que cette fois"}, nil)
	p.Created, p.MayTokens = nil, false
	expect(t, render(t, "fr", p), nil, []string{"s3cret", "Clés pour les programmes"})
}

func TestRefusalSaysWhoCanHelpAndInternalTroubleCarriesItsNumber(t *testing.T) {
	refused := views.Trouble{Base: viewstest.Member("/"), Kind: views.TroubleRefused, Helpers: []string{"Léa Martin"}}
	expect(t, render(t, "fr", refused), []string{"Qui peut vous aider", "Léa Martin"}, []string{"Numéro de la demande"})
	internal := views.Trouble{Base: viewstest.Nobody("/"), Kind: views.TroubleInternal, RequestID: "01j9k3f7q2"}
	expect(t, render(t, "fr", internal), []string{"01j9k3f7q2", "Votre site n’est pas affecté"}, nil)
}

// published are the paths of paths.go, as patterns.
var published = []string{
	"GET /", "GET /sign-in", "GET /auth/login", "GET /auth/step-up", "POST /auth/logout", "GET /break-glass", "POST /break-glass", "GET /assets/*", "GET /accessibility",
	"GET /sites", "POST /sites", "GET /sites/new", "GET /sites/*", "GET /sites/*/suspend", "GET /sites/*/update", "GET /sites/*/delete", "GET /sites/*/purge", "POST /sites/*/backups", "GET /sites/*/backups/*/restore", "POST /sites/*/backups/*/restore",
	"GET /sites/*/egress", "GET /sites/*/egress/ask", "POST /sites/*/egress/ask", "POST /sites/*/egress/*/grant",
	"POST /sites/*/egress/*/refuse", "POST /sites/*/egress/*/revoke", "POST /sites/*/suspend", "POST /sites/*/update", "POST /sites/*/delete", "POST /sites/*/purge", "POST /sites/*/resume", "POST /sites/*/restore", "POST /sites/*/enter", "GET /bin", "GET /platform",
	"GET /associations", "POST /associations", "GET /associations/new", "GET /associations/*",
	"GET /associations/*/journal", "GET /journal",
	"GET /operations/*", "GET /operations/*/events", "POST /operations/*/cancel", "POST /operations/*/retry",
	"POST /account/sessions/end", "POST /account/sessions/*/end", "GET /people/*", "POST /people/*/sign-out",
	"GET /account", "POST /account/tokens", "GET /account/tokens/*/revoke", "POST /account/tokens/*/revoke",
}

func TestEveryLinkLeadsToAPublishedPathAndEachIsReached(t *testing.T) {
	reached := map[string]bool{}
	for _, story := range viewstest.Stories() {
		links, err := viewstest.Links(strings.NewReader(render(t, "fr", story.Page)))
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range links {
			known := false
			for _, pattern := range published {
				if ok, _ := path.Match(pattern, link); ok || (story.Name == "trouble-not-found" && strings.HasPrefix(link, "GET /nothing")) {
					known, reached[pattern] = true, reached[pattern] || ok
				}
			}
			if !known {
				t.Errorf("%s leads to %q", story.Name, link)
			}
		}
	}
	for _, pattern := range published {
		if !reached[pattern] {
			t.Errorf("no page leads to %s", pattern)
		}
	}
}
