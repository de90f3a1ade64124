package main_test

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const fakeServer = "SITEINIT_FAKE_SERVER"

// serveAndDie is a server that greets and answers "ask". "sleep" is never answered, and "kill" kills it, answered or not.
func serveAndDie(socket string) {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		panic(err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			_, _ = io.WriteString(conn, "greeting")
			for buffer := make([]byte, 100); ; {
				n, err := conn.Read(buffer)
				if err != nil {
					return
				}
				switch string(buffer[:n]) {
				case "kill":
					_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				case "sleep":
				default:
					_, _ = io.WriteString(conn, "answer")
				}
			}
		}()
	}
}

type note struct {
	Format, Code int
	At           time.Time
	Sites        []struct {
		Site    string
		Waiting bool
		SentMS  int64 `json:"sent_ms"`
		Size    int64
	}
}

func (b *box) notes(t *testing.T) []note {
	t.Helper()
	files, err := filepath.Glob(b.path("deaths/*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out []note
	for _, path := range files {
		text, err := os.ReadFile(path)
		var n note
		if err != nil || json.Unmarshal(text, &n) != nil {
			t.Fatalf("%s: %q, %v", path, text, err)
		}
		out = append(out, n)
	}
	return out
}

// startServer starts the fake server behind the forwarder, with a socket for each of some sites.
func (b *box) startServer(t *testing.T, sites ...string) {
	t.Helper()
	t.Setenv(fakeServer, b.path("real.sock"))
	for _, site := range sites {
		if err := os.MkdirAll(b.path("sites/"+site), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	_ = os.Remove(b.path("real.sock"))
	b.start(t, "forward", "-each", "8", "-sites", b.path("sites"), "-deaths", b.path("deaths"),
		"unix:"+b.path("sites/x.sock"), "unix:"+b.path("real.sock"), "--", os.Args[0])
}

// say sends something as a site and waits for an answer, if there is one. The connection stays open.
func (b *box) say(t *testing.T, site, statement string, answered bool) net.Conn {
	t.Helper()
	var conn net.Conn
	buffer := make([]byte, 100)
	b.await(t, "the socket of "+site, func() (ok bool) {
		var err error
		if conn, err = net.Dial("unix", b.path("sites/"+site+"/x.sock")); err != nil {
			return false
		}
		n, err := conn.Read(buffer)
		if err != nil || string(buffer[:n]) != "greeting" {
			_ = conn.Close()
			return false
		}
		return true
	})
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, statement); err != nil {
		t.Fatal(err)
	}
	if answered {
		if n, err := conn.Read(buffer); err != nil || string(buffer[:n]) != "answer" {
			t.Fatalf("%s: %q, %v", statement, buffer[:n], err)
		}
	}
	return conn
}

func TestTheDeathOfAServerIsNotedWithTheSitesThatUsedIt(t *testing.T) {
	const hostile, slow, idle, absent = "s000000001", "s000000002", "s000000003", "s000000004"
	b := newBox(t, "")
	b.startServer(t, hostile, slow, idle, absent)
	b.say(t, slow, "sleep", false)
	quitter := b.say(t, idle, "ask", true)
	for _, unanswered := range []string{"\x05\x00\x00\x00\x19\x01\x00\x00\x00", "\x01\x00\x00\x00\x01"} {
		if _, err := io.WriteString(quitter, unanswered); err != nil {
			t.Fatal(err)
		}
	}
	_ = b.say(t, hostile, "kill", false).Close() // whoever leaves at once is noted all the same
	b.ends(t, 137)
	notes := b.notes(t)
	if len(notes) != 1 || notes[0].Code != 137 || notes[0].Format != 1 || time.Since(notes[0].At) > time.Minute || len(notes[0].Sites) != 3 {
		t.Fatalf("noted %+v", notes)
	}
	for i, site := range []string{hostile, slow, idle} {
		got := notes[0].Sites[i]
		if got.Site != site || got.Waiting != (site != idle) || got.SentMS > 30_000 || got.Size < 3 || got.Size > 5 {
			t.Errorf("%s: noted %+v", site, got)
		}
	}
}

func TestAServerThatIsStoppedOrUnusedLeavesNoNote(t *testing.T) {
	b := newBox(t, "")
	b.startServer(t, "s000000001")
	b.say(t, "s000000001", "sleep", false)
	b.stop(t, syscall.SIGTERM, 0)
	t.Setenv(fakeServer, b.path("no/directory")) // so that it ends at once
	b.start(t, "forward", "-each", "8", "-sites", b.path("sites"), "-deaths", b.path("deaths"),
		"unix:"+b.path("sites/x.sock"), "unix:"+b.path("real.sock"), "--", os.Args[0])
	b.ends(t, 2)
	if notes := b.notes(t); len(notes) != 0 {
		t.Errorf("noted %+v", notes)
	}
}
