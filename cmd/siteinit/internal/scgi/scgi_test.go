package scgi_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"chatiere/cmd/siteinit/internal/scgi"
)

func netstring(head string) string { return fmt.Sprintf("%d:%s,", len(head), head) }

func TestParametersMayHoldAnythingButTheirEnd(t *testing.T) {
	want := map[string]string{"CONTENT_LENGTH": "0", "FILE": "/data/a\r\nX: y: 1,é", "EMPTY": ""}
	params, err := scgi.Read(strings.NewReader(netstring("CONTENT_LENGTH\x000\x00FILE\x00" + want["FILE"] + "\x00EMPTY\x00\x00")))
	if err != nil || len(params) != len(want) {
		t.Fatalf("got %q, %v", params, err)
	}
	for name, value := range want {
		if params[name] != value {
			t.Errorf("%s is %q, want %q", name, params[name], value)
		}
	}
}

func TestWhatIsNotTheProtocolIsAnError(t *testing.T) {
	for _, text := range []string{"", "GET / HTTP/1.1\r\n", "-1:", "0:,", "9999999999:", "300000:a", "5:a\x00b\x00", "4:a\x00b\x00;", "3:abc,", "2:a\x00,", "x:"} {
		if params, err := scgi.Read(strings.NewReader(text)); !errors.Is(err, scgi.ErrProtocol) {
			t.Errorf("%q: got %q, %v", text, params, err)
		}
	}
}

func TestAnAnswerIsWhole(t *testing.T) {
	for want, body := range map[string][]byte{
		"Status: 204\r\n\r\n": nil,
		"Status: 204\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok": []byte("ok"),
	} {
		var out bytes.Buffer
		if err := scgi.Answer(&out, 204, "text/plain", body); err != nil || out.String() != want {
			t.Errorf("got %q, %v", out.String(), err)
		}
	}
}
