//go:build integration

package mysql_test

import (
	"fmt"
	"testing"
	"time"

	"chatiere/tenants"
)

func TestTheLaterStateOfAMailCounts(t *testing.T) {
	ctx, s := store(t)
	mail := func(id, site string, state tenants.MailState, changed time.Time) tenants.Mail {
		return tenants.Mail{ID: id, SiteID: site, To: "l…@example.org", State: state, Count: 1, Accepted: at, Changed: changed}
	}
	deferred := mail("m1.0", "s000000001", tenants.MailDeferred, at.Add(time.Minute))
	deferred.Cause, deferred.Code, deferred.Said, deferred.Next = "refused", 450, "4.2.0 später", at.Add(time.Hour)
	must(t, s.KeepMails(ctx, []tenants.Mail{deferred, mail("m1.0", "s000000001", tenants.MailWaiting, at), mail("m2.0", "s000000001", tenants.MailSent, at)}))
	must(t, s.KeepMails(ctx, []tenants.Mail{deferred}))
	got, err := s.Mails(ctx, "s000000001", 10)
	if err != nil || len(got) != 2 || got[1] != deferred || got[0].State != tenants.MailSent || !got[0].Next.IsZero() {
		t.Fatalf("got %+v (%v)", got, err)
	}
	must(t, s.KeepMails(ctx, []tenants.Mail{mail("m1.0", "s000000001", tenants.MailSent, at.Add(2*time.Minute))}))
	if got, err = s.Mails(ctx, "s000000001", 1); err != nil || len(got) != 1 || got[0].State != tenants.MailSent {
		t.Errorf("got %+v (%v)", got, err)
	}
	if other, err := s.Mails(ctx, "s000000002", 10); err != nil || len(other) != 0 {
		t.Errorf("another site's: %+v (%v)", other, err)
	}
	must(t, s.DeleteMails(ctx, at.Add(time.Minute)))
	if got, err = s.Mails(ctx, "s000000001", 10); err != nil || len(got) != 1 || got[0].ID != "m1.0" {
		t.Errorf("after forgetting: %+v (%v)", got, err)
	}
}

func TestMailIsCountedBySiteDayAndHour(t *testing.T) {
	ctx, s := store(t)
	now := time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)
	var all []tenants.Mail
	add := func(site string, state tenants.MailState, cause string, count int, accepted, changed time.Duration) {
		all = append(all, tenants.Mail{
			ID: fmt.Sprintf("m%d.0", len(all)), SiteID: site, State: state, Cause: cause, Count: count, Accepted: now.Add(-accepted), Changed: now.Add(-changed),
		})
	}
	add("s1", tenants.MailSent, "", 1, time.Minute, time.Minute)
	add("s1", tenants.MailSent, "", 1, time.Hour, time.Hour)       // an hour ago
	add("s1", tenants.MailSent, "", 1, 11*time.Hour, 11*time.Hour) // yesterday in Paris, where it is 10:30
	add("s1", tenants.MailBounced, "refused", 1, time.Hour, time.Minute)
	add("s1", tenants.MailBounced, "expired", 1, time.Hour, time.Minute)
	add("s1", tenants.MailRefused, "full", 7, time.Minute, time.Minute)
	add("s1", tenants.MailRefused, "full", 5, 2*time.Hour, 2*time.Hour)
	add("s1", tenants.MailWaiting, "quota", 0, time.Minute, time.Minute)
	add("s1", tenants.MailDeferred, "smarthost", 3, time.Hour, time.Minute)
	add("s1", tenants.MailDeferred, "smarthost", 3, time.Minute, time.Minute) // not for long
	add("s2", tenants.MailWaiting, "", 0, time.Minute, time.Minute)
	must(t, s.KeepMails(ctx, all))
	f, err := s.MailFigures(ctx, "s1", now)
	if want := (tenants.MailFigures{Sent: 2, Bounced: 2, Refused: 12, Waiting: 3, Hour: 2}); err != nil || f != want {
		t.Errorf("got %+v (%v), want %+v", f, err, want)
	}
	if f, err = s.MailFigures(ctx, "s9", now); err != nil || f != (tenants.MailFigures{}) {
		t.Errorf("a site without mail: %+v (%v)", f, err)
	}
	troubles, err := s.MailTroubles(ctx, now)
	want := "[{s1 1 1 7 3 2} {s2 0 0 0 0 0}]"
	if err != nil || fmt.Sprint(troubles) != want {
		t.Errorf("got %+v (%v), want %s", troubles, err, want)
	}
}
