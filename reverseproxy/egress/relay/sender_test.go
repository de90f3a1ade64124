package relay_test

import (
	"bytes"
	"errors"
	"io"
	netmail "net/mail"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"chatiere/reverseproxy/egress/relay"
)

var rules = relay.Origin{Site: siteA, Host: hostA, Domain: domain, Senders: []string{"asso.example"}}

const neutral = "no-reply+" + siteA + "@" + domain

func rewritten(t *testing.T, message string) *netmail.Message {
	t.Helper()
	text, err := rules.Rewrite(message)
	if err != nil {
		t.Fatal(err)
	}
	m, err := netmail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return m
}

func TestASiteWritesInItsOwnNameOrTheCoops(t *testing.T) {
	for name, c := range map[string]struct{ head, from, answer string }{
		"own name":             {"From: WordPress <wordpress@asso.coop.test>\n", "WordPress <wordpress@asso.coop.test>", ""},
		"below its name":       {"From: a@Lists.Asso.Coop.Test\n", "a@Lists.Asso.Coop.Test", ""},
		"allowed domain":       {"From: a@asso.example\n", "a@asso.example", ""},
		"below an allowed one": {"From: a@x.asso.example\n", `"a@x.asso.example" <` + neutral + ">", "<a@x.asso.example>"},
		"the co-op's":          {"From: Boss <boss@coop.test>\n", `"Boss" <` + neutral + ">", `"Boss" <boss@coop.test>`},
		"another site's":       {"From: x@other.coop.test\n", `"x@other.coop.test" <` + neutral + ">", "<x@other.coop.test>"},
		"looks like it":        {"From: x@evilasso.coop.test\n", `"x@evilasso.coop.test" <` + neutral + ">", "<x@evilasso.coop.test>"},
		"a visitor's, with an answer address": {
			"From: Zoé <zoe@mail.test>\nReply-To: other@mail.test\n", `=?utf-8?q?Zo=C3=A9?= <` + neutral + ">", "other@mail.test",
		},
		"none":               {"Subject: x\n", neutral, ""},
		"unreadable":         {"From: somebody\n", "<" + neutral + ">", ""},
		"unreadable, angled": {"From: Contact, asso <a@b.test>\n", `"a@b.test" <` + neutral + ">", "<a@b.test>"},
		"two fields":         {"From: a@asso.coop.test\nFrom: boss@bank.test\n", `"a@asso.coop.test" <` + neutral + ">", "<a@asso.coop.test>"},
		"a space before it":  {"From : boss@bank.test\n", `"boss@bank.test" <` + neutral + ">", "<boss@bank.test>"},
		"one of them":        {"From: a@asso.coop.test, boss@bank.test\n", `"a@asso.coop.test" <` + neutral + ">", "<a@asso.coop.test>"},
		"one of them quoted": {"From: a@asso.coop.test, \"b c\"@bank.test\n", `"a@asso.coop.test" <` + neutral + ">", "<a@asso.coop.test>"},
		"folded":             {"From: a@asso.coop.test,\n boss@bank.test\n", `"a@asso.coop.test" <` + neutral + ">", "<a@asso.coop.test>"},
		"by another":         {"From: a@asso.coop.test\nSender: boss@bank.test\n", "a@asso.coop.test", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := rewritten(t, c.head+"\nbody\n")
			if got := m.Header["From"]; len(got) != 1 || got[0] != c.from {
				t.Errorf("From: %q, want %q", got, c.from)
			}
			if got := m.Header.Get("Reply-To"); got != c.answer {
				t.Errorf("Reply-To: %q, want %q", got, c.answer)
			}
			if m.Header.Get("Sender") != "" {
				t.Errorf("Sender: %q", m.Header.Get("Sender"))
			}
		})
	}
}

func TestForeignMailIsRefusedWhereTheCoopSaysSo(t *testing.T) {
	strict := rules
	strict.Refuse = true
	if _, err := strict.Rewrite("From: boss@bank.test\n\n"); !errors.Is(err, relay.ErrForeign) {
		t.Errorf("%v", err)
	}
	if _, err := strict.Rewrite("From: a@asso.coop.test\n\n"); err != nil {
		t.Errorf("%v", err)
	}
}

func TestTheHeaderIsMadeWhole(t *testing.T) {
	m := rewritten(t, "From: a@asso.coop.test\nBcc: hidden@x.test\nbcc: hidden@y.test\nReturn-Path: <x@y.test>\nX-Chatiere-Site: sother\nReceived: from hell\n\nbody\n")
	for name, want := range map[string]string{
		"Date": "Sun, 22 Nov 2026 08:00:00 +0000", "Message-Id": "<0123456789@" + hostA + ">", "X-Chatiere-Site": siteA, "Bcc": "", "Return-Path": "",
		"Received": "from asso.coop.test by coop.test with SMTP id 0123456789; Sun, 22 Nov 2026 08:00:00 +0000",
	} {
		if got := m.Header.Get(name); got != want || len(m.Header[name]) > 1 {
			t.Errorf("%s: %q, want %q once", name, m.Header[name], want)
		}
	}
	kept := rewritten(t, "From: a@asso.coop.test\nDate: then\nMessage-ID: <mine@x>\n\nbody\n")
	if kept.Header.Get("Date") != "then" || kept.Header.Get("Message-Id") != "<mine@x>" {
		t.Errorf("%v", kept.Header)
	}
}

func TestWhatIsNoFieldBeginsTheBody(t *testing.T) {
	for message, body := range map[string]string{
		"From: a@asso.coop.test\nno field\nBcc: x@y.test\n\nz\n": "no field\r\nBcc: x@y.test\r\n\r\nz\r\n",
		" begins folded\nFrom: a@b.test\n\n":                     " begins folded\r\nFrom: a@b.test\r\n\r\n",
		"":                                                       "",
	} {
		m := rewritten(t, message)
		if got, _ := io.ReadAll(m.Body); string(got) != body {
			t.Errorf("%q: body %q", message, got)
		}
	}
}

func TestLinesAreThoseOfSMTP(t *testing.T) {
	long := strings.Repeat("é", 1200)
	for in, want := range map[string]string{
		"a\nb\r\nc\rd\r\re\n\r":     "a\r\nb\r\nc\r\nd\r\n\r\ne\r\n\r\n",
		"a\r.\r\nQUIT\n.\n":         "a\r\n.\r\nQUIT\r\n.\r\n",
		"a\x00b":                    "ab\r\n",
		strings.Repeat("x", 994):    strings.Repeat("x", 994) + "\r\n",
		strings.Repeat("x", 995):    strings.Repeat("x", 994) + "\r\n x\r\n",
		strings.Repeat("\xbf", 999): strings.Repeat("\xbf", 998) + "\r\n \xbf\r\n",
	} {
		got, err := io.ReadAll(relay.Lines(iotest.HalfReader(strings.NewReader(in))))
		if err != nil || string(got) != want {
			t.Errorf("%.40q: %.60q, %v", in, got, err)
		}
	}
	got, _ := io.ReadAll(relay.Lines(strings.NewReader(long)))
	if !utf8.Valid(got) || strings.ReplaceAll(string(got), "\r\n ", "") != long+"\r\n" {
		t.Error("a letter was broken in two")
	}
}

func TestAddressesAreMasked(t *testing.T) {
	for in, want := range map[string]string{
		"550 5.1.1 <Marie.Curie@radium.test>: unknown": "550 5.1.1 <M…@radium.test>: unknown",
		"zoé@été.test and a@b.test\r\n second line":    "z…@été.test and …@b.test second line",
		"no address at all":                            "no address at all",
	} {
		if got := relay.Masked(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
	if got := relay.Masked(strings.Repeat("ß", 1000)); utf8.RuneCountInString(got) != 300 || !utf8.ValidString(got) {
		t.Errorf("%d characters", utf8.RuneCountInString(got))
	}
	for in, want := range map[string]string{"marie@a.test": "m…@a.test", "m@a.test": "…@a.test", "éa@a.test": "é…@a.test", "x": "…"} {
		if got := relay.Mask(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestOnlyPlainAddressesAreTaken(t *testing.T) {
	for address, want := range map[string]bool{
		"a@b.test": true, "a.b+c@x-y.b.test": true, "a@b": false, "@b.test": false, "a@[127.0.0.1]": false, "a b@c.test": false,
		"a@b@c.test": false, "a\r\n@c.test": false, "a@b.test>": false, "<a@b.test": false, `"a"@b.test`: false, "é@b.test": false,
		strings.Repeat("a", 65) + "@b.test": false, "a@b..test": false, "a@-b.test": false,
	} {
		if relay.Mailbox(address) != want {
			t.Errorf("%q: %v", address, !want)
		}
	}
}

// Whatever a site writes, what is sent has one From within the rules, no field
// that recipients must not see, and no bare line ends.
func FuzzRewrite(f *testing.F) {
	f.Add("From: a@asso.coop.test\nBcc: x@y.test\n\nbody")
	f.Add("From: \"x\r\nBcc: y\" <boss@bank.test>\n\n")
	f.Add("From\t: =?utf-8?q?a=0d=0aBcc:_x?= <b@c.test>\r\rFrom: z@z.test\n")
	f.Add("Sender: a@asso.coop.test\nFROM: (c\n From: d@e.test) f@g.test\nSubject: é\x00\n\n")
	f.Fuzz(func(t *testing.T, message string) {
		text, err := rules.Rewrite(message)
		if err != nil {
			return // too large
		}
		bare := strings.ReplaceAll(text, "\r\n", "")
		if strings.ContainsAny(bare, "\r\n\x00") {
			t.Fatalf("bare line ends in %q", text)
		}
		for line := range strings.SplitSeq(text, "\r\n") {
			if len(line) > 998 {
				t.Fatalf("a line of %d bytes", len(line))
			}
		}
		head, _, found := strings.Cut(text, "\r\n\r\n")
		if !found {
			t.Fatalf("no end of the header in %q", text)
		}
		from := 0
		for _, field := range fields(head) {
			name, value, _ := strings.Cut(field, ":")
			switch strings.ToLower(strings.TrimRight(name, " \t")) {
			case "bcc", "resent-bcc", "return-path":
				t.Fatalf("%q was sent", field)
			case "from":
				from++
				checkFrom(t, value)
			}
		}
		if from != 1 {
			t.Fatalf("%d From in %q", from, head)
		}
	})
}

func fields(head string) []string {
	var out []string
	for line := range strings.SplitSeq(head, "\r\n") {
		if (strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")) && len(out) > 0 {
			out[len(out)-1] += line
			continue
		}
		out = append(out, line)
	}
	return out
}

func checkFrom(t *testing.T, value string) {
	t.Helper()
	list, err := netmail.ParseAddressList(strings.TrimSpace(value))
	if err != nil {
		// Names in an unknown charset are no fault, and no way around: addresses are not encoded.
		var parser = netmail.AddressParser{WordDecoder: nil}
		if list, err = parser.ParseList(strings.TrimSpace(value)); err != nil {
			t.Fatalf("From %q: %v", value, err)
		}
	}
	for _, a := range list {
		if a.Address != neutral && !strings.HasSuffix(strings.ToLower(a.Address), "@"+hostA) &&
			!strings.HasSuffix(strings.ToLower(a.Address), "."+hostA) && !strings.EqualFold(a.Address[strings.LastIndexByte(a.Address, '@')+1:], "asso.example") {
			t.Fatalf("From %q", value)
		}
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\r\n.\r\n\r.\nb"))
	f.Fuzz(func(t *testing.T, in []byte) {
		whole, err := io.ReadAll(relay.Lines(bytes.NewReader(in)))
		if err != nil {
			t.Fatal(err)
		}
		parts, err := io.ReadAll(relay.Lines(iotest.OneByteReader(bytes.NewReader(in))))
		if err != nil || !bytes.Equal(whole, parts) {
			t.Fatalf("it depends on the packets: %q, %q", whole, parts)
		}
		if len(whole) > 0 && !bytes.HasSuffix(whole, []byte("\r\n")) {
			t.Fatalf("%q has no end", whole)
		}
	})
}
