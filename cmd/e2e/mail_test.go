//go:build e2e

package e2e_test

import (
	"database/sql"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
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

// ownServer is a plugin that sends through a mail server of the association's own.
const ownServer = `<?php
/** Plugin Name: Serveur */
add_action('phpmailer_init', static function ($mailer): void {
    $mailer->isSMTP();
    [$mailer->Host, $mailer->Port] = ['SERVER', PORT];
    [$mailer->SMTPAuth, $mailer->Username, $mailer->Password] = [false, 'asso', 'secret'];
    $mailer->setFrom('asso@fournisseur.test', 'Asso');
});
`

func TestAPluginsOwnMailServerIsUsedOnceItIsOpenToTheSite(t *testing.T) {
	i := open(t)
	s := i.newSite(t)
	t.Cleanup(func() { i.gone(t, s.ID) })
	address, text := standinAt(t)
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	taken := smtpStandin(t)
	name := "smtp-" + random() + ".chatiere.test"
	i.hosts(t).say(name, address)
	i.plugin(t, s, "serveur", strings.NewReplacer("SERVER", name, "PORT", text).Replace(ownServer), nil)
	sends := func(mark string) {
		t.Helper()
		if out := i.inWordPress(t, s.ID, fmt.Sprintf(`var_export(wp_mail("lea@arrives.test", "x", %q));`, mark)); out != "true" {
			t.Fatalf("wp_mail says %q", out)
		}
	}
	notice := func() string {
		return i.wp(t, s.ID, `require_once ABSPATH . "wp-admin/includes/admin.php"; wp_set_current_user(get_users(["role" => "administrator"])[0]->ID); do_action("admin_notices");`)
	}
	mark := "mark" + random()
	sends(mark)
	if got := i.arrives(t, mark); strings.Contains(got, "secret") {
		t.Errorf("the relay was given the password of another server:\n%s", got)
	}
	if got := notice(); !strings.Contains(got, name+":"+text) {
		t.Errorf("before the server is open managers read %q", got)
	}
	i.granted(t, s.ID, name, port)
	eventually(t, mailTime, "mail by the server of its own", func() (bool, string) {
		mark = "mark" + random()
		sends(mark)
		select {
		case got := <-taken:
			return strings.Contains(got, mark) && strings.Contains(got, "From: Asso <asso@fournisseur.test>"), got
		default:
			return false, "nothing came"
		}
	})
	if got := notice(); strings.Contains(got, name) {
		t.Errorf("once the server is open managers still read %q", got)
	}
}

// inbox takes mail and hands it to a test.
type inbox chan string

func (b inbox) NewSession(*smtp.Conn) (smtp.Session, error) { return b, nil }
func (b inbox) Mail(string, *smtp.MailOptions) error        { return nil }
func (b inbox) Rcpt(string, *smtp.RcptOptions) error        { return nil }
func (b inbox) Reset()                                      {}
func (b inbox) Logout() error                               { return nil }
func (b inbox) Data(from io.Reader) error {
	text, err := io.ReadAll(from)
	b <- string(text)
	return err
}

// smtpStandin serves SMTP where egress.permit opens a private address.
func smtpStandin(t *testing.T) inbox {
	t.Helper()
	taken := make(inbox, 16)
	server := smtp.NewServer(taken)
	l, err := net.Listen("tcp", needed(t, "CHATIERE_TEST_PERMIT"))
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }() // ends with Close
	t.Cleanup(func() { _ = server.Close() })
	return taken
}

// mail() of PHP sends what it gets: the relay has to keep long lines whole.
func TestALongLineArrivesWithAllItsLinks(t *testing.T) {
	i := open(t)
	site := i.demoSite(t)
	mark := "mark" + random()
	if out := i.inWordPress(t, site.ID, fmt.Sprintf(`var_export(mail("lea@arrives.test", %q, str_repeat('<a href="https://asso.test/?jeton=abcdefghijkl">lien</a> ', 200), "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8"));`, mark)); strings.TrimSpace(out) != "true" {
		t.Fatalf("mail says %q", out)
	}
	got := i.arrives(t, mark)
	_, body, _ := strings.Cut(strings.ReplaceAll(got, "\r\n", "\n"), "\n\n")
	text, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(body)))
	if n := strings.Count(string(text), "jeton=abcdefghijkl\">lien</a>"); err != nil || n != 200 {
		t.Errorf("%d of 200 links are whole (%v):\n%.600s", n, err, got)
	}
}
