package egress_test

import (
	"bufio"
	"net"
	"strings"
	"testing"
	"time"

	"chatiere/reverseproxy/egress/spool"
)

func TestTheMailPortRefusesAtOnce(t *testing.T) {
	h := newHouse(t, nil)
	h.open(t)
	conn, err := net.Dial("unix", h.mail(siteA))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	lines := bufio.NewScanner(conn)
	expect := func(say, want string) {
		t.Helper()
		if say != "" {
			if _, err := conn.Write([]byte(say + "\r\n")); err != nil {
				t.Fatal(err)
			}
		}
		for lines.Scan() {
			if text := lines.Text(); len(text) > 3 && text[3] == ' ' {
				if !strings.HasPrefix(text, want) {
					t.Errorf("%q answered with %q, want %s", say, text, want)
				}
				return
			}
		}
		t.Errorf("%q: %v", say, lines.Err())
	}
	expect("", "220 "+hostA)
	expect("EHLO localhost", "250")
	expect("MAIL FROM:<wordpress@asso.coop.test>", "554 5.3.2 No mail relay is configured")
	expect("RCPT TO:<a@b.example>", "50")
	expect("QUIT", "221")
	h.entry(t, "mail", func(e spool.Entry) bool {
		return e.Decision == spool.Refused && e.Reason == "no mail relay configured"
	})
}
