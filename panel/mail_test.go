package panel_test

import (
	"testing"
	"time"

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
