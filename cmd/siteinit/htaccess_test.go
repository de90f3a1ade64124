package main_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ask puts one question as nginx does, and returns the whole answer.
func ask(t *testing.T, socket string, params ...string) string {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	head := "CONTENT_LENGTH\x000\x00" + strings.Join(params, "\x00") + "\x00"
	if _, err := fmt.Fprintf(conn, "%d:%s,", len(head), head); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func TestTheWebServerIsToldWhatAnHtaccessDenies(t *testing.T) {
	b := newBox(t, `{"processes":[`+idle+`],"access_socket":"DIR/access.sock"}`)
	b.start(t, b.flags()...)
	b.says(t, "running")
	root, socket := b.path("content"), b.path("access.sock")
	file := filepath.Join(root, "uploads", "a\nb.pdf")
	question := []string{"ROOT", root, "FILE", file, "URL", "/a\nb.pdf", "METHOD", "GET", "CLIENT", "203.0.113.7"}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	rules := filepath.Join(root, "uploads", ".htaccess")
	for text, want := range map[string]string{"Require all denied": "403", "Require all granted": "204", "Require valid-user": "403"} {
		if err := os.WriteFile(rules, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := ask(t, socket, question...); got != "Status: "+want+"\r\n\r\n" {
			t.Errorf("%s: got %q, want %s", text, got, want)
		}
		list := ask(t, socket, "ROOT", root)
		if noted := strings.HasSuffix(list, "\r\n\r\n{\"uploads/.htaccess\":\"require\"}"); noted != (text == "Require valid-user") || !strings.HasPrefix(list, "Status: 200\r\n") {
			t.Errorf("%s: the worker is told %q", text, list)
		}
	}
	if err := os.Remove(rules); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, socket, question...); got != "Status: 204\r\n\r\n" {
		t.Errorf("without the file: got %q", got)
	}
	if list := ask(t, socket, "ROOT", root); !strings.HasSuffix(list, "\r\n\r\n{}") {
		t.Errorf("a file that is gone is still told: %q", list)
	}
	for range 3 { // who speaks another protocol hangs up on himself alone
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x:1\r\n\r\n")
		if text, err := io.ReadAll(conn); err == nil && len(text) > 0 {
			t.Errorf("got %q", text)
		}
		_ = conn.Close()
	}
	if got := ask(t, socket, question...); got != "Status: 204\r\n\r\n" {
		t.Errorf("after nonsense: got %q", got)
	}
}
