//go:build e2e

package e2e_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"chatiere/cmd/internal/config"
)

// mailTime is how long a mail may take to where the tests look for it.
const mailTime = 30 * time.Second

// box is what the mail server of the tests took that holds a word, envelope included.
func (i *instance) box(t *testing.T, word string) string {
	t.Helper()
	out, err := tryRun("docker", "exec", i.container("smtp"), "sh", "-c", `grep -lrF "$0" /mail/box/new | xargs -r cat`, word)
	if err != nil && out != "" {
		t.Fatalf("looking at the mail server: %v\n%s", err, out)
	}
	return out
}

// arrives waits for one mail with the word, and no second one.
func (i *instance) arrives(t *testing.T, word string) string {
	t.Helper()
	var got string
	eventually(t, mailTime, "mail with "+word, func() (bool, string) {
		got = i.box(t, word)
		return strings.Count(got, "X-Chatiere-Site:") == 1, got
	})
	return got
}

// inWordPress runs PHP inside the site's WordPress.
func (i *instance) inWordPress(t *testing.T, site, script string) string {
	t.Helper()
	out, _ := i.php(t, site, `require "/opt/chatiere/hooks/load.php"; `+script)
	return out
}

// told waits until the panel knows what became of the last mail to somebody, and returns the mail server's words.
func (i *instance) told(t *testing.T, site, recipient, state string) string {
	t.Helper()
	var said string
	eventually(t, mailTime, recipient+" being "+state, func() (bool, string) {
		var have, cause string
		err := i.panelRow(t, "SELECT state, cause, said FROM mails WHERE site_id = ? AND recipient = ? ORDER BY accepted_at DESC LIMIT 1",
			[]any{site, recipient}, &have, &cause, &said)
		return err == nil && have == state, fmt.Sprint(have, " ", cause, " ", said, " ", err)
	})
	return said
}

// panelRow reads one row as the worker would.
func (i *instance) panelRow(t *testing.T, query string, args []any, into ...any) error {
	t.Helper()
	password, err := i.config.Secret(config.SecretDBWorker).Reveal()
	if err != nil {
		t.Fatal(err)
	}
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.Passwd, c.DBName = "unix", i.config.Database.Socket, i.config.Database.WorkerUser, password, i.config.Database.Name
	db, err := sql.Open("mysql", c.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return db.QueryRowContext(t.Context(), query, args...).Scan(into...)
}

func TestMailOfASiteArrivesWhicheverWayItIsSent(t *testing.T) {
	i := open(t)
	site := i.demoSite(t)
	for name, script := range map[string]string{
		"wp_mail":       `var_export(wp_mail("lea@arrives.test", "Bonjour", "MARK"));`,
		"mail":          `var_export(mail("lea@arrives.test", "Bonjour", "MARK", "Bcc: hidden@arrives.test"));`,
		"sendmail, -bs": `$p = proc_open(["/usr/sbin/sendmail", "-bs"], [["pipe", "r"], ["pipe", "w"]], $f); foreach (["EHLO x", "MAIL FROM:<a@b.test>", "RCPT TO:<lea@arrives.test>", "DATA", "Subject: x\r\n\r\nMARK\r\n.", "QUIT"] as $l) { do { $a = fgets($f[1]); } while ($a[3] === "-"); fwrite($f[0], "$l\r\n"); } echo stream_get_contents($f[1]) ? "true" : "false";`,
	} {
		mark := "mark" + random()
		if out := i.inWordPress(t, site.ID, strings.ReplaceAll(script, "MARK", mark)); strings.TrimSpace(out) != "true" {
			t.Errorf("%s says %q", name, out)
			continue
		}
		if name == "mail" { // two recipients are one mail, in the server's box once for each
			eventually(t, mailTime, "both copies", func() (bool, string) {
				got := i.box(t, mark)
				return strings.Contains(got, "Envelope-to: hidden@arrives.test") || strings.Contains(got, "hidden@arrives.test,"), got
			})
			if got := i.box(t, mark); strings.Contains(strings.ToLower(got), "bcc:") {
				t.Errorf("a hidden recipient is told:\n%s", got)
			}
			continue
		}
		got := i.arrives(t, mark)
		for _, want := range []string{"Return-path: <bounces+" + site.ID + "-", "@mail.chatiere.test>", "From: ", "Date: ", "Message-ID: ", "X-Chatiere-Site: " + site.ID} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", name, want, got)
			}
		}
	}
}

func TestABounceIsOnTheSitesPage(t *testing.T) {
	i := open(t)
	site := i.demoSite(t).ID
	who := "x" + random() + "@rejected.test"
	if out := i.inWordPress(t, site, fmt.Sprintf(`var_export(wp_mail(%q, "x", "y"));`, who)); out != "true" {
		t.Fatalf("wp_mail says %q", out)
	}
	if said := i.told(t, site, "x…@rejected.test", "bounced"); !strings.Contains(said, "there is no such user") || strings.Contains(said, who) {
		t.Errorf("the server's words: %q", said)
	}
}

func TestAKilledGatewayLosesNoMailItHasTaken(t *testing.T) {
	i := open(t)
	site := i.demoSite(t).ID
	i.kill(t, "smtp") // so that mail is taken, and not yet delivered
	t.Cleanup(func() { i.start(t, "smtp"); i.start(t, "gateway") })
	mark := "mark" + random()
	if out := i.inWordPress(t, site, fmt.Sprintf(`var_export(wp_mail("lea@arrives.test", "x", %q));`, mark)); out != "true" {
		t.Fatalf("wp_mail says %q", out)
	}
	i.kill(t, "gateway")
	i.start(t, "smtp")
	i.start(t, "gateway")
	i.arrives(t, mark)
}

func TestOverItsQuotaASitesMailWaitsAndThePageSaysSo(t *testing.T) {
	i := open(t)
	site := i.newSite(t)
	t.Cleanup(func() { i.gone(t, site.ID) })
	out := i.inWordPress(t, site.ID, fmt.Sprintf(`for ($n = 0; $n < %d; $n++) { if (!wp_mail("q$n@arrives.test", "x", "y")) { die("lost $n"); } } echo "all";`, i.config.Mail.Hourly+3))
	if out != "all" {
		t.Fatalf("the site was told %q", out)
	}
	eventually(t, mailTime, "mails waiting for the next hour", func() (bool, string) {
		var waiting, sent int
		err := i.panelRow(t, "SELECT COALESCE(SUM(state = 'waiting' AND cause = 'quota'), 0), COALESCE(SUM(state = 'sent'), 0) FROM mails WHERE site_id = ?",
			[]any{site.ID}, &waiting, &sent)
		// At the turn of the hour there is a new quota.
		return err == nil && sent >= i.config.Mail.Hourly && waiting+sent == i.config.Mail.Hourly+3, fmt.Sprint(waiting, sent, err)
	})
}
