package origin_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"chatiere/reverseproxy/origin"
)

var own = origin.Origin{Site: "s7k2m9qx4p", Host: "amap.lilas.example", Port: 8443}

func TestALineIsReadAsItWasWrittenAndNoFurther(t *testing.T) {
	var wire bytes.Buffer
	if err := own.Write(&wire); err != nil {
		t.Fatal(err)
	}
	wire.WriteString("\x16\x03the site's")
	got, err := origin.Read(&wire)
	if err != nil || got != own {
		t.Errorf("%+v, %v", got, err)
	}
	if rest, _ := io.ReadAll(&wire); string(rest) != "\x16\x03the site's" {
		t.Errorf("left: %q", rest)
	}
}

func TestWhatIsNoLineIsRefused(t *testing.T) {
	for _, line := range []string{
		"", "\n", "SITE s7k2m9qx4p amap.lilas.example 443", "SITE s7k2m9qx4p amap.lilas.example 443\r\n", "SITE s7k2m9qx4p amap.lilas.example 0\n",
		"SITE s7k2m9qx4p amap.lilas.example 65536\n", "SITE s7 amap.lilas.example 443\n", "SITE s7k2m9qx4p Amap.lilas.example 443\n",
		"SITE s7k2m9qx4p a b 443\n", "GET / HTTP/1.1\n", "SITE s7k2m9qx4p " + strings.Repeat("a", 400) + " 443\n", strings.Repeat("x", 1000),
	} {
		if got, err := origin.Read(strings.NewReader(line)); !errors.Is(err, origin.ErrLine) {
			t.Errorf("%.40q: %+v, %v", line, got, err)
		}
	}
	if err := (origin.Origin{Site: "s7k2m9qx4p", Host: "a\nSITE", Port: 443}).Write(io.Discard); !errors.Is(err, origin.ErrLine) {
		t.Errorf("a host with a line end was written: %v", err)
	}
}

func TestOnlyTheOwnHostIsItself(t *testing.T) {
	for host, want := range map[string]bool{
		"amap.lilas.example": true, "AMAP.lilas.example.:8443": true, "amap.lilas.example:443": true,
		"": false, "panel.lilas.example": false, "amap.lilas.example.evil.example": false, "x.amap.lilas.example": false, "127.0.0.1:8443": false, "[::1]:443": false,
	} {
		if got := own.Is(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
	for host, want := range map[string]string{
		"Panel.lilas.example:8443": "panel.lilas.example", "127.0.0.1:80": "127.0.0.1", "[::1]": "[::1]", "": own.Host, "a b": own.Host, "é.example": own.Host,
	} {
		if got := own.Name(host); got != want {
			t.Errorf("%q is named %q, want %q", host, got, want)
		}
	}
}
