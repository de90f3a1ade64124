package panel_test

import (
	"net/http"
	"reflect"
	"testing"
	"time"

	"chatiere/panel/api"
	"chatiere/tenants"
)

func TestASitesMailIsToldToThoseWhoMayKnow(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x := w.site("lilas", tenants.StateReady)
	now := w.clock.Now()
	mail := func(to string, state tenants.MailState, cause, said string, next time.Time) tenants.Mail {
		return tenants.Mail{SiteID: x.ID, To: to, State: state, Cause: cause, Said: said, Count: 3, Accepted: now, Changed: now, Next: next}
	}
	w.records.mails = map[string][]tenants.Mail{x.ID: {
		mail("g…@a.example", tenants.MailBounced, "refused", "5.1.1 <g…@a.example>: no such user", time.Time{}),
		mail("z…@a.example", tenants.MailWaiting, "quota", "", now.Add(20*time.Minute)),
		mail("", tenants.MailRefused, "full", "", time.Time{}),
		mail("l…@a.example", tenants.MailSent, "of a newer gateway", "", time.Time{}),
	}}
	w.records.figures = tenants.MailFigures{Sent: 212, Waiting: 1, Bounced: 4, Refused: 3, Hour: 200}
	for _, who := range []who{w.signIn(lea), w.signIn(ana)} {
		contains(t, w.do(who, ask{path: "/sites/" + x.ID}), "g…@a.example", "no such user", "212 messages envoyés", "4 revenus", "3 pas pris en charge",
			"Les 200 destinataires permis par heure sont atteints", "raison inconnue")
	}
	lacks(t, w.do(w.signIn(ali), ask{path: "/sites/" + x.ID}), "a.example", "Courriel")
	w.records.figures.Hour, w.records.mails = 60, nil
	contains(t, w.do(w.signIn(lea), ask{path: "/sites/" + x.ID}), "Encore 140 destinataires possibles", "Aucun message ces derniers jours")
}

func TestProgramsAreToldOfASitesMail(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x := w.site("lilas", tenants.StateReady)
	now := w.clock.Now()
	w.records.mails = map[string][]tenants.Mail{x.ID: {
		{ID: "m1", To: "g…@a.example", State: tenants.MailDeferred, Cause: "refused", Code: 450, Said: "greylisted", Count: 2, Accepted: now, Changed: now, Next: now.Add(time.Minute)},
		{ID: "m2", State: tenants.MailRefused, Cause: "full", Count: 7, Accepted: now, Changed: now},
	}}
	w.records.figures = tenants.MailFigures{Sent: 212, Waiting: 1, Bounced: 4, Refused: 7, Hour: 200}
	path := "/api/v1/sites/" + x.ID + "/mail"
	got := decoded[api.SiteMail](t, w.do(who{local: true}, ask{path: path}))
	next := now.Add(time.Minute)
	want := api.SiteMail{Open: true, Sent: 212, Waiting: 1, Bounced: 4, Refused: 7, Hourly: got.Hourly, Hour: 200, Items: []api.Mail{
		{ID: "m1", To: "g…@a.example", State: "deferred", Cause: "refused", Code: 450, Said: "greylisted", Count: 2, Accepted: now, Changed: now, Next: &next},
		{ID: "m2", State: "refused", Cause: "full", Count: 7, Accepted: now, Changed: now},
	}}
	if !reflect.DeepEqual(got, want) || got.Hourly == 0 {
		t.Errorf("told %+v\nwant %+v", got, want)
	}
	if got := decoded[api.SiteMail](t, w.do(who{local: true}, ask{path: path + "?limit=1"})); len(got.Items) != 1 {
		t.Errorf("asked for one, told %+v", got.Items)
	}
	for _, limit := range []string{"0", "1001", "x"} {
		if r := w.do(who{local: true}, ask{path: path + "?limit=" + limit}); r.status != http.StatusUnprocessableEntity {
			t.Errorf("limit %s: %d", limit, r.status)
		}
	}
}
