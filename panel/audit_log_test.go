package panel_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"chatiere/panel/api"
	"chatiere/panel/views"
	"chatiere/tenants"
)

// acts writes one entry for each of the given associations ("" for the co-op), a minute apart.
func (w *world) acts(act string, slugs ...string) {
	w.t.Helper()
	for i, slug := range slugs {
		e := tenants.AuditEntry{
			At: w.clock.Now().Add(time.Duration(i) * time.Minute), ActorKind: tenants.KindPerson, ActorID: "u", ActorName: "Qui " + slug, Address: "192.0.2.77",
			Action: act, Detail: "detail of " + slug,
		}
		if slug != "" {
			a, err := w.records.AssociationBySlug(w.t.Context(), slug)
			must(w.t, err)
			e.AssociationID = a.ID
		}
		must(w.t, w.records.Audit(w.t.Context(), e))
	}
}

func TestAManagerReadsTheirAssociationsActsAndNothingElse(t *testing.T) {
	w := newWorld(t)
	w.towns()
	w.acts("site.create", "lilas", "roses", "")
	manager := w.signIn(lea)
	for _, query := range []string{"", "?association=roses", "?person=Qui+roses", "?act=session.open", "?before=9999999999999999-999"} {
		r := w.do(manager, ask{path: "/associations/lilas/journal" + query})
		lacks(t, r, "Qui roses<", "192.0.2.77", "detail of", "connexion</th>")
		if r.status != http.StatusOK {
			t.Errorf("%q answers %d", query, r.status)
		}
	}
	contains(t, w.do(manager, ask{path: "/associations/lilas/journal"}), "Qui lilas", "nouveau site")
	l := decoded[api.AuditPage](t, w.do(manager, ask{path: "/api/v1/audit?association=lilas"}))
	if len(l.Items) != 1 || l.Items[0].Association != "lilas" || l.Items[0].Address != "" || l.Items[0].Detail != "" || l.Items[0].Actor != "" {
		t.Errorf("%+v", l.Items)
	}
	contains(t, w.do(manager, ask{path: "/associations/lilas"}), "/associations/lilas/journal")
	lacks(t, w.do(w.signIn(ali), ask{path: "/associations/lilas"}), "/associations/lilas/journal")
}

func TestTheCoopReadsAllAndNarrowsIt(t *testing.T) {
	w := newWorld(t)
	w.towns()
	w.acts("site.create", "lilas", "roses", "")
	w.acts("egress.invented", "roses")
	admin := w.signIn(ana)
	contains(t, w.do(admin, ask{path: "/journal"}), "Qui lilas", "Qui roses", "192.0.2.77", "detail of roses", "Club des Roses", "autre acte")
	r := w.do(admin, ask{path: "/journal?association=roses&act=site.create"})
	contains(t, r, "Club des Roses", "nouveau site")
	lacks(t, r, "detail of lilas", "autre acte</th>")
	tomorrow := w.clock.Now().AddDate(0, 0, 2).Format(time.DateOnly)
	contains(t, w.do(admin, ask{path: "/journal?from=" + tomorrow}), "Aucun acte ne correspond")
	contains(t, w.do(admin, ask{path: "/journal?from=hier&before=x-y&association=nobody"}), "Qui lilas")
	contains(t, w.do(admin, ask{path: "/associations"}), `href="/journal"`)
}

func TestTheJournalGoesBackPageByPage(t *testing.T) {
	w := newWorld(t)
	w.towns()
	for range 60 {
		w.acts("site.create", "lilas")
		w.clock.Advance(time.Second)
	}
	manager := w.signIn(lea)
	r := w.do(manager, ask{path: "/associations/lilas/journal?act=site.create"})
	_, rest, _ := strings.Cut(r.body, `href="/associations/lilas/journal?act=site.create&amp;before=`)
	before, _, _ := strings.Cut(rest, `"`)
	if n := strings.Count(r.body, "Qui lilas</span>"); n != 50 || before == "" {
		t.Fatalf("the first page has %d rows and leads on to %q", n, before)
	}
	r = w.do(manager, ask{path: "/associations/lilas/journal?act=site.create&before=" + before})
	if n := strings.Count(r.body, "Qui lilas</span>"); n != 10 || strings.Contains(r.body, `rel="next"`) {
		t.Errorf("the last page has %d rows", n)
	}
	var got []int64
	for next := ""; ; {
		l := decoded[api.AuditPage](t, w.do(who{local: true}, ask{path: "/api/v1/audit?association=lilas&act=site.create&limit=25&before=" + url.QueryEscape(next)}))
		for _, e := range l.Items {
			got = append(got, e.ID)
		}
		if next = l.Next; next == "" {
			break
		}
	}
	if len(got) != 60 {
		t.Errorf("the API walked over %d rows", len(got))
	}
	for _, limit := range []string{"0", "-1", "1001"} {
		if r := w.do(who{local: true}, ask{path: "/api/v1/audit?limit=" + limit}); r.status != http.StatusUnprocessableEntity {
			t.Errorf("limit=%s answers %d", limit, r.status)
		}
	}
}

// What can be asked for is written into the trail under its own name, and people must be able to read that.
func TestEveryActThatChangesSomethingHasWords(t *testing.T) {
	reader := tenants.Principal{Kind: tenants.KindToken, CoopAdmin: true, SecondFact: true, Scopes: []tenants.Scope{tenants.ScopeRead}}
	for _, lang := range views.Languages() {
		words, err := views.LoadCatalogue(lang)
		must(t, err)
		tried := 0
		for _, act := range tenants.Actions() {
			if tenants.Authorize(reader, act, "") == nil || act == tenants.ActTokensOwn || act == tenants.ActSessionsOwn { // those are told by what is done
				continue
			}
			tried++
			if _, ok := words.Text(fmt.Sprint("act.", act)); !ok {
				t.Errorf("%s: no words for %q", lang, act)
			}
		}
		if tried < 5 {
			t.Fatalf("only %d acts looked at", tried)
		}
	}
}
