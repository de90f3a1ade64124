package clienthello_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"testing/iotest"

	"chatiere/reverseproxy/egress/clienthello"
)

// said is what a real client sends first.
func said(t *testing.T, config *tls.Config) []byte {
	t.Helper()
	here, there := net.Pipe()
	go func() {
		_ = tls.Client(there, config).Handshake() // ends when here closes
	}()
	defer func() { _ = here.Close(); _ = there.Close() }()
	header := make([]byte, 5)
	if _, err := io.ReadFull(here, header); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint16(header[3:]))
	if _, err := io.ReadFull(here, body); err != nil {
		t.Fatal(err)
	}
	return append(header, body...)
}

func clientFor(name string) *tls.Config {
	return &tls.Config{ServerName: name, InsecureSkipVerify: name == "", MinVersion: tls.VersionTLS12} //nolint:gosec // nothing is verified: the client never gets an answer
}

// inRecords cuts a greeting's message into records of n bytes.
func inRecords(record []byte, n int) []byte {
	var out []byte
	for body := record[5:]; len(body) > 0; {
		part := body[:min(n, len(body))]
		body = body[len(part):]
		out = append(out, record[0], record[1], record[2])
		out = binary.BigEndian.AppendUint16(out, uint16(len(part)))
		out = append(out, part...)
	}
	return out
}

func TestTheNameIsReadFromRealGreetings(t *testing.T) {
	old := clientFor("api.example.org")
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	for name, text := range map[string][]byte{
		"as sent":       said(t, clientFor("api.example.org")),
		"in records":    inRecords(said(t, clientFor("api.example.org")), 7),
		"old version":   said(t, old),
		"more behind":   append(said(t, clientFor("api.example.org")), "early data"...),
		"in upper case": said(t, clientFor("API.Example.org")),
	} {
		for how, from := range map[string]io.Reader{"at once": bytes.NewReader(text), "byte by byte": iotest.OneByteReader(bytes.NewReader(text))} {
			seen, hello, err := clienthello.Read(from)
			if err != nil || hello.Check("api.example.org") != nil {
				t.Errorf("%s, %s: %+v, %v", name, how, hello, err)
			}
			rest, _ := io.ReadAll(from)
			if whole := append(seen, rest...); !bytes.Equal(whole, text) {
				t.Errorf("%s, %s: %d bytes of %d are left", name, how, len(whole), len(text))
			}
			if err := hello.Check("example.org"); !errors.Is(err, clienthello.ErrWrongName) {
				t.Errorf("%s for another: %v", name, err)
			}
		}
	}
}

func TestAGreetingWithoutANameIsTold(t *testing.T) {
	_, hello, err := clienthello.Read(bytes.NewReader(said(t, clientFor(""))))
	if err != nil || !errors.Is(hello.Check("api.example.org"), clienthello.ErrNoName) {
		t.Errorf("%+v, %v", hello, err)
	}
}

func TestAHiddenNameIsTold(t *testing.T) {
	config := clientFor("secret.example.net")
	config.MinVersion = tls.VersionTLS13
	config.EncryptedClientHelloConfigList = hiding(t, "api.example.org")
	_, hello, err := clienthello.Read(bytes.NewReader(said(t, config)))
	if err != nil || hello.ServerName != "api.example.org" || !errors.Is(hello.Check("api.example.org"), clienthello.ErrHidden) {
		t.Errorf("%+v, %v", hello, err)
	}
}

// hiding is a list with one configuration for encrypted greetings (RFC 9849,
// section 4) whose outer name is public.
func hiding(t *testing.T, public string) []byte {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte{7, 0, 0x20} // id, X25519 with HKDF-SHA256
	body = append(binary.BigEndian.AppendUint16(body, 32), key.PublicKey().Bytes()...)
	body = append(body, 0, 4, 0, 1, 0, 1, 32) // one suite: HKDF-SHA256, AES-128-GCM; longest name
	body = append(append(body, byte(len(public))), public...)
	body = append(body, 0, 0) // no extensions
	one := append([]byte{0xfe, 0x0d}, binary.BigEndian.AppendUint16(nil, uint16(len(body)))...)
	one = append(one, body...)
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(one))), one...)
}

func TestWhatIsNoGreetingIsRefusedAndKept(t *testing.T) {
	whole := said(t, clientFor("api.example.org"))
	endless := append([]byte{0x16, 3, 1, 0x40, 0, 1, 0, 0xff, 0}, make([]byte, 4*clienthello.Max)...)
	for name, text := range map[string][]byte{
		"a request":      []byte("GET / HTTP/1.1\r\nHost: api.example.org\r\n\r\n"),
		"SSH":            []byte("SSH-2.0-OpenSSH_9.9\r\n"),
		"half":           whole[:len(whole)/2],
		"too long":       endless,
		"empty records":  bytes.Repeat([]byte{0x16, 3, 1, 0, 0}, clienthello.Max),
		"another record": append([]byte{0x17}, whole[1:]...),
		"nothing":        nil,
	} {
		seen, _, err := clienthello.Read(bytes.NewReader(text))
		if !errors.Is(err, clienthello.ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
		if len(seen) > clienthello.Max || !bytes.HasPrefix(text, seen) {
			t.Errorf("%s: %d bytes kept of %d", name, len(seen), len(text))
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		seen, hello, err := clienthello.Read(bytes.NewReader(text))
		if len(seen) > clienthello.Max || !bytes.HasPrefix(text, seen) {
			t.Errorf("kept %d bytes of %d", len(seen), len(text))
		}
		if err != nil && hello != (clienthello.Hello{}) {
			t.Errorf("%+v with %v", hello, err)
		}
	})
}
