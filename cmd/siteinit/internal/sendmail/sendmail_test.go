package sendmail_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"chatiere/cmd/siteinit/internal/sendmail"
)

// port is a mail port that remembers what it was told. refuse holds its answers
// to lines that begin with the key.
type port struct {
	socket string
	refuse map[string]string
	mu     sync.Mutex
	lines  []string
	text   string // of the message, with dots as they came
	done   bool   // the message was ended
}

func newPort(t *testing.T, refuse map[string]string) *port {
	t.Helper()
	dir, err := os.MkdirTemp("", "sm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &port{socket: filepath.Join(dir, "s"), refuse: refuse}
	l, err := net.Listen("unix", p.socket)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); wait.Wait() })
	wait.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.serve(conn)
		}
	})
	return p
}

func (p *port) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	lines := bufio.NewReader(conn)
	_, _ = io.WriteString(conn, "220 here\r\n")
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		p.mu.Lock()
		p.lines = append(p.lines, line)
		p.mu.Unlock()
		_, _ = io.WriteString(conn, p.answer(line)+"\r\n")
		if line == "DATA" {
			p.message(lines)
			_, _ = io.WriteString(conn, p.answer("(message)")+"\r\n")
		}
	}
}

func (p *port) answer(line string) string {
	for begin, answer := range p.refuse {
		if strings.HasPrefix(line, begin) {
			return answer
		}
	}
	switch line {
	case "DATA":
		return "354 go on"
	case "QUIT":
		return "221 bye"
	}
	return "250 fine"
}

func (p *port) message(lines *bufio.Reader) {
	var text strings.Builder
	for {
		line, err := lines.ReadString('\n')
		p.mu.Lock()
		p.text, p.done = text.String(), err == nil && line == ".\r\n"
		ended := p.done || err != nil
		p.mu.Unlock()
		if ended {
			return
		}
		text.WriteString(line)
	}
}

func (p *port) heard() (lines []string, text string, done bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines), p.text, p.done
}

func send(t *testing.T, socket, message string, args ...string) (int, string) {
	t.Helper()
	return sendFrom(t, socket, strings.NewReader(message), args...)
}

func sendFrom(t *testing.T, socket string, from io.Reader, args ...string) (int, string) {
	t.Helper()
	var out, said bytes.Buffer
	code := sendmail.Run(context.Background(), sendmail.Options{
		Args: args, Socket: socket, Port: "127.0.0.1:1", Host: "asso.coop.test", Stdin: from, Stdout: &out, Stderr: &said,
	})
	return code, said.String() + out.String()
}

func TestRecipientsComeFromTheMessageAndTheCommandLine(t *testing.T) {
	const message = "To: Léa <lea@a.test>,\n \"Doe, Jo\" <jo@b.test>\nCc: c@c.test\nBcc: hidden@d.test\nSubject: x\n\nBonjour\n"
	for name, c := range map[string]struct {
		args   []string
		sender string
		want   []string
	}{
		"header":             {[]string{"-t", "-i"}, "site@asso.coop.test", []string{"lea@a.test", "jo@b.test", "c@c.test", "hidden@d.test"}},
		"bundled":            {[]string{"-ti"}, "site@asso.coop.test", []string{"lea@a.test", "jo@b.test", "c@c.test", "hidden@d.test"}},
		"sender, glued":      {[]string{"-fwww@x.test", "z@z.test"}, "www@x.test", []string{"z@z.test"}},
		"sender, apart":      {[]string{"-oi", "-r", "www", "--", "-z@z.test"}, "www@asso.coop.test", []string{"-z@z.test"}},
		"old options":        {[]string{"-oem", "-odb", "-B8BITMIME", "-N", "never", "-F", "Name", "z@z.test,y@y.test"}, "site@asso.coop.test", []string{"z@z.test", "y@y.test"}},
		"both":               {[]string{"-t", "z@z.test"}, "site@asso.coop.test", []string{"z@z.test", "lea@a.test", "jo@b.test", "c@c.test", "hidden@d.test"}},
		"a user of no place": {[]string{"root"}, "site@asso.coop.test", []string{"root@asso.coop.test"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPort(t, nil)
			if code, said := send(t, p.socket, message, c.args...); code != sendmail.OK || said != "" {
				t.Fatalf("exit %d: %s", code, said)
			}
			lines, text, done := p.heard()
			want := []string{"EHLO asso.coop.test", "MAIL FROM:<" + c.sender + ">"}
			for _, r := range c.want {
				want = append(want, "RCPT TO:<"+r+">")
			}
			if got := strings.Join(lines, "|"); !strings.HasPrefix(got, strings.Join(append(want, "DATA"), "|")) {
				t.Errorf("it said %s", got)
			}
			if !done || strings.Contains(text, "hidden") || !strings.HasSuffix(text, "\r\n\r\nBonjour\r\n") || !strings.HasPrefix(text, "To: Léa <lea@a.test>,\r\n \"Doe") {
				t.Errorf("the message: %q", text)
			}
		})
	}
}

func TestALineWithADotEndsTheMessageUnlessToldOtherwise(t *testing.T) {
	const message = "Subject: x\n\none\n..two\n.\nthree\n"
	for args, want := range map[string]string{
		"a@a.test":    "Subject: x\r\n\r\none\r\n...two\r\n",
		"-i a@a.test": "Subject: x\r\n\r\none\r\n...two\r\n..\r\nthree\r\n",
	} {
		p := newPort(t, nil)
		if code, said := send(t, p.socket, message, strings.Fields(args)...); code != 0 {
			t.Fatalf("exit %d: %s", code, said)
		}
		if _, text, _ := p.heard(); text != want {
			t.Errorf("%s: %q", args, text)
		}
	}
}

func TestExitCodesTellWhatIsWrong(t *testing.T) {
	long := "X: " + strings.Repeat("x", 300<<10) + "\n\nbody"
	for name, c := range map[string]struct {
		refuse  map[string]string
		message string
		args    []string
		want    int
	}{
		"no such option":          {nil, "", []string{"-Z"}, sendmail.Usage},
		"option without a value":  {nil, "", []string{"-f"}, sendmail.Usage},
		"no recipient":            {nil, "Subject: x\n\n", []string{"-t"}, sendmail.DataErr},
		"no address":              {map[string]string{"RCPT": "553 no"}, "\nx", []string{"nobody"}, sendmail.NoUser},
		"line end in an address":  {nil, "\nx", []string{"-i", "a@a.test\r\nRSET"}, sendmail.NoUser},
		"not from here":           {map[string]string{"MAIL": "553 no"}, "\nx", []string{"a@a.test"}, sendmail.NoPerm},
		"no relay":                {map[string]string{"MAIL": "554 no"}, "\nx", []string{"a@a.test"}, sendmail.Unavailable},
		"full: no success either": {map[string]string{"(message)": "452 full"}, "\nx", []string{"a@a.test"}, sendmail.Unavailable},
		"too large":               {map[string]string{"(message)": "552 large"}, "\nx", []string{"a@a.test"}, sendmail.Unavailable},
		"endless header":          {nil, long, []string{"a@a.test"}, sendmail.IOErr},
		"asked for the queue":     {nil, "", []string{"-bp"}, sendmail.OK},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPort(t, c.refuse)
			code, said := send(t, p.socket, c.message, c.args...)
			if code != c.want || (code != 0) != (said != "") {
				t.Errorf("exit %d, want %d: %s", code, c.want, said)
			}
			if lines, _, _ := p.heard(); slices.Contains(lines, "RSET") {
				t.Error("an address became a command")
			}
		})
	}
	if code, said := send(t, "/nowhere/s", "\nx", "a@a.test"); code != sendmail.Unavailable || !strings.Contains(said, "not reachable") {
		t.Errorf("without a mail port: exit %d: %s", code, said)
	}
}

func TestAMessageThatBreaksOffIsNotSent(t *testing.T) {
	p := newPort(t, nil)
	broken := io.MultiReader(strings.NewReader("Subject: x\n\nhalf"), iotest.ErrReader(io.ErrUnexpectedEOF))
	if code, said := sendFrom(t, p.socket, broken, "-i", "a@a.test"); code != sendmail.IOErr {
		t.Errorf("exit %d: %s", code, said)
	}
	if _, _, done := p.heard(); done {
		t.Error("half a message was ended as if it were whole")
	}
}

func TestACallerMaySpeakSMTPItself(t *testing.T) {
	p := newPort(t, nil)
	code, said := send(t, p.socket, "EHLO me\r\nQUIT\r\n", "-bs")
	if lines, _, _ := p.heard(); code != 0 || said != "220 here\r\n250 fine\r\n221 bye\r\n" || fmt.Sprint(lines) != "[EHLO me QUIT]" {
		t.Errorf("exit %d, %q, %v", code, said, lines)
	}
}

func FuzzSendmail(f *testing.F) {
	f.Add("-t -f a@b.test", "To: a@b.test\nBcc: x@y.test\n\nhello\n.\n")
	f.Add("-i", ": :\n\n")
	f.Add("", "To: <a\x00b@c>\n")
	f.Fuzz(func(t *testing.T, args, message string) {
		// No mail port: everything up to it must end by itself, with a code.
		code, _ := send(t, "/nowhere/s", message, strings.Fields(args)...)
		if code < 0 || code > 78 {
			t.Errorf("exit %d", code)
		}
	})
}
