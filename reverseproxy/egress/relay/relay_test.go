package relay_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatiere/reverseproxy/egress/relay"
)

func TestAMailReachesTheSmarthostAndIsReported(t *testing.T) {
	h := newHouse(t, nil)
	h.must(siteA, "lea@a.test", "jo@b.test", "LEA@a.test")
	e := h.told(siteA, "l…@a.test", "sent")
	if e.Count != 1 || e.Code != 250 || e.Accepted.IsZero() || !e.Next.IsZero() {
		t.Errorf("reported %+v", e)
	}
	h.told(siteA, "j…@b.test", "sent")
	mails := h.host.arrived()
	if len(mails) != 1 || fmt.Sprint(mails[0].to) != "[lea@a.test jo@b.test]" {
		t.Fatalf("arrived: %+v", mails)
	}
	if from := mails[0].from; !strings.HasPrefix(from, "bounces+"+siteA+"-") || !strings.HasSuffix(from, "@"+domain) {
		t.Errorf("from %s", from)
	}
	if !strings.HasSuffix(mails[0].text, "\r\n\r\nBonjour Léa\r\n") || !strings.Contains(mails[0].text, "From: Asso <contact@asso.coop.test>\r\n") {
		t.Errorf("arrived: %q", mails[0].text)
	}
	h.await("the kept mail to go", func() bool { return len(h.kept()) == 0 })
	if strings.Contains(h.logs.String(), "lea@a.test") {
		t.Error("the log tells an address")
	}
}

// One association may not write in the name of another's domain.
func TestASiteWritesFromItsAssociationsDomainsAlone(t *testing.T) {
	h := newHouse(t, nil)
	for _, c := range []struct {
		site, domain string
		own          bool
	}{
		{siteA, "amap.example", true}, {siteA, "chorale.example", false}, {siteB, "chorale.example", true}, {siteB, "amap.example", false},
		{siteA, "x.amap.example", false},
	} {
		before := len(h.host.arrived())
		from := "bureau@" + c.domain
		if code, words := h.send(c.site, from, []string{"lea@a.test"}, "From: Bureau <"+from+">\r\nSubject: x\r\n\r\nBonjour\r\n"); code != 250 {
			t.Fatalf("%s from %s: %d %s", c.site, from, code, words)
		}
		h.await("the mail to arrive", func() bool { return len(h.host.arrived()) > before })
		text := h.host.arrived()[before].text
		if got := strings.Contains(text, "\r\nFrom: Bureau <"+from+">\r\n"); got != c.own {
			t.Errorf("%s from %s, own %v: %q", c.site, from, c.own, text)
		}
	}
}

func TestWhatIsRefusedForGoodIsBouncedAndTheRestArrives(t *testing.T) {
	h := newHouse(t, nil)
	h.host.says(func(step, argument string) error {
		if step == "RCPT" && argument == "gone@a.test" {
			return no(550, "<gone@a.test>: no such user, ask postmaster@a.test")
		}
		return nil
	})
	h.must(siteA, "gone@a.test", "lea@a.test")
	e := h.told(siteA, "g…@a.test", "bounced")
	if e.Code != 550 || e.Cause != relay.CauseRefused || e.Said != "5.1.1 <g…@a.test>: no such user, ask p…@a.test" {
		t.Errorf("reported %+v", e)
	}
	h.told(siteA, "l…@a.test", "sent")
	h.await("the kept mail to go", func() bool { return len(h.kept()) == 0 })
	if got := h.host.arrived(); len(got) != 1 || len(got[0].to) != 1 {
		t.Errorf("arrived: %+v", got)
	}
}

func TestWhatIsRefusedForNowIsTriedAgainAndSentOnce(t *testing.T) {
	h := newHouse(t, func(o *relay.Options) { o.Retry = []time.Duration{time.Hour} })
	h.host.says(func(step, argument string) error {
		if step == "RCPT" && argument == "grey@a.test" {
			return no(450, "come back")
		}
		return nil
	})
	h.must(siteA, "grey@a.test", "lea@a.test")
	e := h.told(siteA, "g…@a.test", "deferred")
	if e.Code != 450 || e.Next.Sub(e.Changed).Round(time.Minute) != time.Hour {
		t.Errorf("reported %+v", e)
	}
	h.told(siteA, "l…@a.test", "sent")
	h.host.says(nil)
	h.stop()
	h.clock.pass(61 * time.Minute)
	h.start(siteA)
	if e = h.told(siteA, "g…@a.test", "sent"); e.Count != 2 {
		t.Errorf("reported %+v", e)
	}
	if got := h.host.arrived(); len(got) != 2 || fmt.Sprint(got[0].to, got[1].to) != "[lea@a.test] [grey@a.test]" {
		t.Errorf("arrived: %+v", got)
	}
}

func TestAMailIsGivenUpAfterItsTime(t *testing.T) {
	h := newHouse(t, func(o *relay.Options) { o.Expire = time.Hour })
	h.host.says(func(step, _ string) error {
		if step == "DATA" {
			return no(451, "full")
		}
		return nil
	})
	h.must(siteA, "lea@a.test")
	h.told(siteA, "l…@a.test", "deferred")
	h.clock.pass(2 * time.Hour)
	if e := h.told(siteA, "l…@a.test", "bounced"); e.Cause != relay.CauseExpired || !strings.Contains(e.Said, "full") {
		t.Errorf("reported %+v", e)
	}
	h.await("the kept mail to go", func() bool { return len(h.kept()) == 0 })
}

func TestNothingIsLostWhileTheSmarthostIsAway(t *testing.T) {
	h := newHouse(t, nil)
	h.host.shut()
	for i := range 5 {
		h.must(siteA, fmt.Sprintf("l%d@a.test", i))
	}
	e := h.told(siteA, "l…@a.test", "deferred")
	if e.Cause != relay.CauseSmarthost || e.Said != "" {
		t.Errorf("reported %+v; want no words about the co-op's network", e)
	}
	if log := h.logs.String(); strings.Count(log, "does not take mail") != 1 || !strings.Contains(log, "connection refused") {
		t.Errorf("the log does not say so once:\n%s", log)
	}
	h.host.open(t, fmt.Sprintf("127.0.0.1:%d", h.host.port))
	h.await("all five", func() bool { return len(h.host.arrived()) == 5 })
	h.await("the kept mail to go", func() bool { return len(h.kept()) == 0 })
}

func TestASmarthostThatRefusesOurSenderOrPasswordBouncesNothing(t *testing.T) {
	h := newHouse(t, nil)
	h.host.says(func(step, _ string) error {
		if step == "MAIL" {
			return no(553, "sender not owned")
		}
		return nil
	})
	h.must(siteA, "lea@a.test")
	if e := h.told(siteA, "l…@a.test", "deferred"); e.Cause != relay.CauseSmarthost || !strings.Contains(e.Said, "not owned") {
		t.Errorf("reported %+v", e)
	}
	h.host.says(nil)
	h.told(siteA, "l…@a.test", "sent")
}

func TestOneMailThatMakesTheSmarthostStumbleHoldsUpNobody(t *testing.T) {
	h := newHouse(t, func(o *relay.Options) { o.Pauses = []time.Duration{time.Hour} })
	h.host.says(func(step, argument string) error {
		if step == "DATA" && strings.Contains(argument, "poison") {
			panic("stumbling") // the server hangs up
		}
		return nil
	})
	if code, said := h.send(siteA, "", []string{"lea@a.test"}, strings.Replace(letter, "Bonjour Léa", "poison", 1)); code != 250 {
		t.Fatalf("%d %s", code, said)
	}
	h.told(siteA, "l…@a.test", "deferred")
	h.must(siteB, "jo@b.test")
	h.told(siteB, "j…@b.test", "sent")
}

func TestASiteSendsItsQuotaAndTheRestWaitsForTheNextHour(t *testing.T) {
	h := newHouse(t, func(o *relay.Options) { o.Hourly = 3 })
	for _, name := range []string{"ada", "bob", "cyd", "dan", "eve"} {
		h.must(siteA, name+"@a.test")
	}
	e := h.told(siteA, "e…@a.test", "waiting")
	h.await("the cause", func() bool { e = h.reports()[siteA+" e…@a.test"]; return e.Cause == relay.CauseQuota })
	if !e.Next.Equal(h.clock.Now().UTC().Truncate(time.Hour).Add(time.Hour)) {
		t.Errorf("it is to go at %s", e.Next)
	}
	h.must(siteB, "fay@b.test") // another site's quota is its own
	h.told(siteB, "f…@b.test", "sent")
	if got := len(h.host.arrived()); got != 4 {
		t.Errorf("%d mails arrived, want 3 and the other site's", got)
	}
	h.stop()
	h.start(siteA, siteB) // a restart gives no new quota
	h.must(siteB, "gil@b.test")
	h.told(siteB, "g…@b.test", "sent") // the older ones had their turn before
	if got := len(h.host.arrived()); got != 5 {
		t.Errorf("%d mails arrived after a restart", got)
	}
	h.clock.pass(time.Hour)
	h.told(siteA, "d…@a.test", "sent")
	h.told(siteA, "e…@a.test", "sent")
}

func TestRefusedMailsUseUpTheQuotaToo(t *testing.T) {
	h := newHouse(t, func(o *relay.Options) { o.Hourly = 2 })
	h.host.says(func(step, _ string) error {
		if step == "RCPT" {
			return no(550, "no such user")
		}
		return nil
	})
	for _, name := range []string{"ada", "bob", "cyd"} {
		h.must(siteA, name+"@a.test")
	}
	h.await("the quota", func() bool { return h.reports()[siteA+" c…@a.test"].Cause == relay.CauseQuota })
}

func TestMailOfASiteWhoseWayOutIsClosedIsHeld(t *testing.T) {
	h := newHouse(t, nil)
	h.host.shut()
	h.must(siteA, "lea@a.test")
	h.told(siteA, "l…@a.test", "deferred")
	h.stop()
	h.host.open(t, fmt.Sprintf("127.0.0.1:%d", h.host.port))
	h.start(siteB)
	h.await("the hold", func() bool { return h.reports()[siteA+" l…@a.test"].Cause == relay.CauseHeld })
	h.must(siteB, "jo@b.test")
	h.told(siteB, "j…@b.test", "sent")
	if got := len(h.host.arrived()); got != 1 {
		t.Errorf("%d mails arrived", got)
	}
	h.stop()
	h.start(siteA)
	h.told(siteA, "l…@a.test", "sent")
}

func TestWhatIsNotTakenIsAnsweredAndReportedOnce(t *testing.T) {
	full := false
	h := newHouse(t, func(o *relay.Options) {
		o.MaxBytes, o.MaxRecipients, o.Foreign = 100<<10, 2, relay.Refuse
		o.Limits.SiteMails = 1
		o.Limits.Free = func(string) (int64, error) {
			if full {
				return 1, nil
			}
			return 1 << 40, nil
		}
		o.Retry = []time.Duration{time.Hour}
	})
	h.host.says(func(string, string) error { return no(450, "later") })
	one := []string{"lea@a.test"}
	const own = "contact@asso.coop.test"
	for name, c := range map[string]struct {
		from  string
		to    []string
		text  string
		code  int
		cause string
	}{
		"foreign envelope":    {"boss@bank.test", one, letter, 553, relay.CauseForeign},
		"foreign From":        {own, one, "From: boss@bank.test\r\n\r\nx\r\n", 553, relay.CauseForeign},
		"too large":           {own, one, letter + strings.Repeat("x\r\n", 50<<10), 552, relay.CauseContent},
		"too many recipients": {own, []string{"a@a.test", "b@a.test", "c@a.test"}, letter, 452, ""},
		"no address":          {own, []string{"nobody"}, letter, 501, ""},
		"a quoted address":    {own, []string{`"a b"@a.test`}, letter, 553, ""},
	} {
		if code, said := h.send(siteA, c.from, c.to, c.text); code != c.code {
			t.Errorf("%s: answered %d %s, want %d", name, code, said, c.code)
		}
	}
	h.must(siteA, "lea@a.test")
	for range 3 {
		if code, said := h.send(siteA, own, one, letter); code != 452 || !strings.Contains(said, "this site") {
			t.Errorf("with a full queue: %d %s", code, said)
		}
	}
	full = true
	if code, _ := h.send(siteB, own, one, letter); code != 452 {
		t.Errorf("without room on the disk: %d", code)
	}
	for cause, count := range map[string]int{siteA + " foreign": 2, siteA + " content": 1, siteA + " full": 3, siteB + " disk": 1} {
		h.await(cause, func() bool { return h.reports()[cause].Count == count })
	}
}

func TestWithoutASmarthostMailIsRefusedAtOnce(t *testing.T) {
	h := newHouse(t, func(o *relay.Options) { o.Smarthost = nil })
	began := time.Now()
	code, said := h.send(siteA, "a@asso.coop.test", []string{"lea@a.test"}, letter)
	if code != 554 || !strings.Contains(said, "No mail relay is configured") || time.Since(began) > 2*time.Second {
		t.Errorf("answered %d %s after %s", code, said, time.Since(began))
	}
	h.await("the report", func() bool { return h.reports()[siteA+" none"].Count == 1 })
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.notes) != 1 || !errors.Is(h.notes[0], relay.ErrNoSmarthost) {
		t.Errorf("noted %v", h.notes)
	}
}

func TestAnUnusableQueueRefusesForNow(t *testing.T) {
	h := newHouse(t, func(o *relay.Options) {
		if err := os.WriteFile(o.Dir, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	if code, _ := h.send(siteA, "a@asso.coop.test", []string{"lea@a.test"}, letter); code != 451 {
		t.Errorf("answered %d", code)
	}
}

func TestAClientThatGoesAwayLeavesNothing(t *testing.T) {
	h := newHouse(t, nil)
	c := h.talk(siteA)
	for _, s := range []string{"MAIL FROM:<a@asso.coop.test>", "RCPT TO:<lea@a.test>", "DATA"} {
		c.say(s)
	}
	if err := c.PrintfLine("%s", letter); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	h.must(siteA, "jo@b.test")
	h.told(siteA, "j…@b.test", "sent")
	h.await("nothing to be left", func() bool {
		left, err := filepath.Glob(filepath.Join(h.options.Dir, "queue", "*", ".*.mail*"))
		return err == nil && len(left) == 0 && len(h.kept()) == 0
	})
	if got := len(h.host.arrived()); got != 1 {
		t.Errorf("%d mails arrived", got)
	}
}

func TestTooManyConnectionsAreTurnedAway(t *testing.T) {
	h := newHouse(t, nil)
	for range 8 {
		h.talk(siteA)
	}
	h.must(siteB, "jo@b.test") // whose connections are its own
	conn, err := net.Dial("unix", h.socket(siteA))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if said, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(said), "421 ") {
		t.Errorf("%q, %v", said, err)
	}
}
