package forward_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"chatiere/cmd/siteinit/internal/forward"
)

// talk carries a connection of a site to a server, and returns both ends.
func talk(t *testing.T, activity *forward.Activity) (client, server *net.UnixConn) {
	t.Helper()
	dir := shortDir(t)
	ends := [2]*net.UnixListener{}
	for i, name := range []string{"site", "server"} {
		listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, name)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		ends[i] = listener
	}
	handle := activity.Handler(hostile, forward.Address{Network: "unix", Address: filepath.Join(dir, "server")}, quiet)
	go func() {
		if conn, err := ends[0].Accept(); err == nil {
			handle(context.Background(), conn)
		}
	}()
	client, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: filepath.Join(dir, "site")})
	if err != nil {
		t.Fatal(err)
	}
	server, err = ends[1].AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	for _, conn := range []net.Conn{client, server} {
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		t.Cleanup(func() { _ = conn.Close() })
	}
	return client, server
}

func pass(t *testing.T, from, to net.Conn, text string) {
	t.Helper()
	got := make([]byte, len(text))
	go func() { _, _ = io.WriteString(from, text) }()
	if _, err := io.ReadFull(to, got); err != nil || string(got) != text {
		t.Fatalf("%q arrives as %q: %v", text, got, err)
	}
}

func expectActivity(t *testing.T, what string, activity *forward.Activity, later time.Duration, waiting bool, size int64) {
	t.Helper()
	all := activity.Snapshot(time.Now().Add(later))
	if len(all) != 1 || all[0].Site != hostile || all[0].Waiting != waiting || all[0].Size != size || all[0].SentMS < later.Milliseconds() {
		t.Errorf("%s: %+v", what, all)
	}
}

func TestItIsKnownWhichSiteWaitsForAnAnswer(t *testing.T) {
	activity := &forward.Activity{}
	client, server := talk(t, activity)
	pass(t, server, client, "greeting")
	if all := activity.Snapshot(time.Now()); len(all) != 0 {
		t.Errorf("nothing was sent: %+v", all)
	}
	pass(t, client, server, "statement")
	expectActivity(t, "a statement", activity, time.Hour, true, 9)
	pass(t, server, client, "answer")
	expectActivity(t, "answered", activity, 50*time.Second, false, 9)
	if all := activity.Snapshot(time.Now().Add(61 * time.Second)); len(all) != 0 {
		t.Errorf("answered a minute ago: %+v", all)
	}
	const quit = "\x01\x00\x00\x00\x01"
	pass(t, client, server, "long statement, whose end ")
	pass(t, client, server, quit)
	expectActivity(t, "not a command that looks like one", activity, 0, true, 26)
}

func TestAConnectionThatWaitedWhenItEndedIsRemembered(t *testing.T) {
	activity := &forward.Activity{}
	client, server := talk(t, activity)
	pass(t, client, server, "statement")
	_ = server.Close() // as when it dies
	if _, err := client.Read(make([]byte, 1)); err == nil {
		t.Error("the end of the server is not passed on")
	}
	_ = client.Close()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		if all := activity.Snapshot(time.Now().Add(4 * time.Second)); len(all) == 1 && all[0].Waiting {
			if all = activity.Snapshot(time.Now().Add(20 * time.Second)); len(all) == 1 && !all[0].Waiting {
				return // and not for ever
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("remembered %+v", activity.Snapshot(time.Now()))
		}
	}
}

func TestLargeStatementsAndAnswersArriveWhole(t *testing.T) {
	activity := &forward.Activity{}
	client, server := talk(t, activity)
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for _, way := range [][2]*net.UnixConn{{client, server}, {server, client}} {
		go func() { _, _ = way[0].Write(large); _ = way[0].CloseWrite() }()
		if got, err := io.ReadAll(way[1]); err != nil || !bytes.Equal(got, large) {
			t.Errorf("%d bytes of %d, %v", len(got), len(large), err)
		}
	}
	expectActivity(t, "a large statement", activity, 0, false, int64(len(large)))
}
