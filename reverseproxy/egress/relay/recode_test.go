package relay_test

import (
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"testing"
)

// sent is what a message of the site becomes, with no line longer than SMTP allows.
func sent(t *testing.T, message string) string {
	t.Helper()
	got, err := rules.Rewrite(message)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(got) {
		if len(line) > 1000 || !strings.HasSuffix(line, "\r\n") {
			t.Fatalf("a line of %d bytes: %.80q", len(line), line)
		}
	}
	return got
}

func parsed(t *testing.T, message string) *netmail.Message {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(sent(t, message)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// decoded undoes the encoding that the header tells.
func decoded(t *testing.T, encoding string, body io.Reader) string {
	t.Helper()
	if encoding == "quoted-printable" {
		body = quotedprintable.NewReader(body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestLongLinesOfTextArriveAsTheyWere(t *testing.T) {
	links := strings.Repeat(`<a href="https://asso.coop.test/?jeton=abcdefghijklmnop">ici</a> `, 160)
	for name, body := range map[string]string{
		"HTML in one line":         links,
		"a long word of letters":   strings.Repeat("é", 3000),
		"an address at the limit":  strings.Repeat("x", 980) + " https://asso.coop.test/une/page/assez/longue",
		"lines before and after":   "a\r\n" + links + "\r\n.\r\nb",
		"a byte that is no letter": strings.Repeat("\xe9", 2000),
		"exactly at the limit":     strings.Repeat("x", 995),
	} {
		m := parsed(t, "From: a@asso.coop.test\r\n\r\n"+body)
		got := decoded(t, m.Header.Get("Content-Transfer-Encoding"), m.Body)
		if got != body+"\r\n" {
			t.Errorf("%s: came out as %.200q", name, got)
		}
		if m.Header.Get("Mime-Version") != "1.0" {
			t.Errorf("%s: encoded without saying that it is MIME: %v", name, m.Header)
		}
	}
	m := parsed(t, "From: a@asso.coop.test\nContent-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\n"+strings.Repeat("\xe9", 2000))
	if m.Header.Get("Content-Type") != "text/html; charset=iso-8859-1" || len(m.Header["Content-Transfer-Encoding"]) != 1 {
		t.Errorf("its header became %v", m.Header)
	}
}

func TestOnlyThePartWithLongLinesIsEncoded(t *testing.T) {
	long := strings.Repeat("mot lié ", 300) + "fin"
	m := parsed(t, strings.ReplaceAll(`From: a@asso.coop.test
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="outer"

preamble
--outer
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=utf-8

short
--inner
Content-Type: text/html; charset=utf-8

LONG
--inner--
--outer
Content-Type: application/pdf
Content-Transfer-Encoding: base64

QUJD
--outer--
`, "LONG", long))
	_, parameters, _ := mime.ParseMediaType(m.Header.Get("Content-Type"))
	outer := multipart.NewReader(m.Body, parameters["boundary"])
	first, err := outer.NextRawPart()
	if err != nil {
		t.Fatal(err)
	}
	inner := multipart.NewReader(first, "inner")
	for _, want := range []struct{ encoding, body string }{{"", "short"}, {"quoted-printable", long}} {
		part, err := inner.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		encoding := part.Header.Get("Content-Transfer-Encoding")
		if got := decoded(t, encoding, part); encoding != want.encoding || got != want.body {
			t.Errorf("%q encoded as %q, want %q", got, encoding, want.encoding)
		}
	}
	file, err := outer.NextRawPart()
	if err != nil {
		t.Fatal(err)
	}
	if got := decoded(t, "", file); got != "QUJD" || file.Header.Get("Content-Transfer-Encoding") != "base64" {
		t.Errorf("the attachment became %q, %v", got, file.Header)
	}
}

func TestWhatIsSignedKeepsItsBytes(t *testing.T) {
	for name, message := range map[string]string{
		"a signed multipart": "Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\nContent-Type: text/plain\r\n\r\nLINE\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--s--\r\n",
		"a signed message":   "DKIM-Signature: v=1; a=rsa-sha256\r\nContent-Type: text/plain\r\n\r\nLINE\r\n",
	} {
		for _, line := range []string{"short", strings.Repeat("x", 990)} {
			if got := sent(t, "From: a@asso.coop.test\r\n"+strings.ReplaceAll(message, "LINE", line)); !strings.Contains(got, "\r\n"+line+"\r\n") {
				t.Errorf("%s was changed: %.300q", name, got)
			}
		}
		if got := sent(t, "From: a@asso.coop.test\r\n"+strings.ReplaceAll(message, "LINE", strings.Repeat("x", 2000))); strings.Contains(got, "quoted-printable") {
			t.Errorf("%s was encoded again", name)
		}
	}
}

func TestMailThatIsNotWellMadeIsPassedOn(t *testing.T) {
	long := strings.Repeat("x ", 2000)
	for name, message := range map[string]string{
		"no part":                 "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + long,
		"no end":                  "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + long,
		"a part without a header": "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + long + "\r\n--b--\r\n",
		"no boundary":             "Content-Type: multipart/mixed\r\n\r\n" + long,
		"an unknown type":         "Content-Type: ;;\r\n\r\n" + long,
		"an end alone":            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\n" + long,
		"two encodings":           "Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + long,
		"more than is held":       "\r\n" + strings.Repeat(strings.Repeat("y", 500)+"\r\n", 3000) + long,
		"many multiparts":         strings.Repeat("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", 40) + "\r\n" + long,
	} {
		got := sent(t, "From: a@asso.coop.test\r\n"+message)
		if n := strings.Count(got, "x"); n < 2000 {
			t.Errorf("%s: %d of 2000 words are left", name, n)
		}
	}
}

func TestLongHeaderLinesAreFoldedBetweenWords(t *testing.T) {
	subject := "Compte rendu de l’assemblée " + strings.Repeat("générale ", 150) + "fin"
	word := strings.Repeat("=C3=A9", 400)
	for name, c := range map[string]struct{ raw, want string }{
		"plain words":             {subject, subject},
		"one encoded word":        {"=?utf-8?q?" + word + "?=", strings.Repeat("é", 400)},
		"a list of message names": {strings.Repeat("<abc@def.test> ", 100) + "<end@x>", strings.Repeat("<abc@def.test> ", 100) + "<end@x>"},
	} {
		m := parsed(t, "From: a@asso.coop.test\r\nSubject: "+c.raw+"\r\n\r\nx")
		if got, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil || got != c.want {
			t.Errorf("%s: %.200q, %v", name, got, err)
		}
	}
	m := parsed(t, "From: =?utf-8?q?"+word+"?= <boss@bank.test>\r\n\r\nx")
	from, err := m.Header.AddressList("From")
	if err != nil || len(from) != 1 || !strings.HasPrefix(from[0].Name, "ééé") || strings.Contains(from[0].Name, "=?") {
		t.Errorf("the sender is %v, %v", from, err)
	}
}
