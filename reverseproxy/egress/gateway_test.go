package egress_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"chatiere/reverseproxy/egress"
	"chatiere/reverseproxy/egress/spool"
)

func TestRefusalsAreAnsweredLoggedAndSpooled(t *testing.T) {
	h := newHouse(t, func(o *egress.Options) {
		o.Resolver = newBook().say("inside.example", "192.168.1.1").say("down.example", "127.0.0.1")
		var err error
		if o.Permit, err = egress.ParsePermits([]string{"down.example:1"}); err != nil {
			t.Fatal(err)
		}
	})
	h.open(t, egress.AllowedName{Name: "inside.example", Ports: []int{443}}, egress.AllowedName{Name: "down.example", Ports: []int{1}},
		egress.AllowedName{Name: "nowhere.example", Ports: []int{443}})
	for _, c := range []struct {
		target, name, reason string
		status               int
		decision             spool.Decision
	}{
		{"other.example:443", "other.example", "name not in list", http.StatusForbidden, spool.Refused},
		{"INSIDE.example:80", "inside.example", "port not in list", http.StatusForbidden, spool.Refused},
		{"inside.example:443", "inside.example", "address not public", http.StatusForbidden, spool.Refused},
		{"10.0.0.1:443", "10.0.0.1", "bare address", http.StatusForbidden, spool.Refused},
		{hostA + ":81", hostA, "name not in list", http.StatusForbidden, spool.Refused},
		{hostA + ":443", hostA, "own proxy not reachable", http.StatusBadGateway, spool.Failed},
		{"down.example:1", "down.example", "dialling", http.StatusBadGateway, spool.Failed},
		{"nowhere.example:443", "nowhere.example", "resolving name", http.StatusBadGateway, spool.Failed},
		{"no_name:443", "", "malformed request", http.StatusBadRequest, spool.Refused},
	} {
		if _, _, status := h.connect(t, c.target); status != c.status {
			t.Errorf("%s: status %d, want %d", c.target, status, c.status)
		}
		h.entry(t, c.name, func(e spool.Entry) bool {
			return e.Site == siteA && e.Decision == c.decision && e.Reason == c.reason
		})
		found := false
		for line := range strings.SplitSeq(h.logs.String(), "\n") {
			found = found || strings.Contains(line, "site="+siteA+" name="+c.name) && strings.Contains(line, c.reason) ||
				c.name == "" && strings.Contains(line, `name=""`) && strings.Contains(line, c.reason)
		}
		if !found {
			t.Errorf("%s: no log line says %q", c.target, c.reason)
		}
	}
}

// siteinit connects and goes to see whether the gateway is there: every few seconds, for each site.
func TestAConnectionThatAsksForNothingIsNoAttempt(t *testing.T) {
	h := newHouse(t, nil)
	h.open(t)
	for range 3 {
		conn, err := net.Dial("unix", h.socket(siteA))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(conn); err != nil || len(answer) > 0 {
			t.Errorf("answered %q, %v", answer, err)
		}
	}
	if said := h.logs.String(); strings.Contains(said, "malformed") {
		t.Errorf("noted as an attempt: %s", said)
	}
}

func TestTheResolverLearnsWhichNamesThereAre(t *testing.T) {
	names := newBook()
	h := newHouse(t, func(o *egress.Options) { o.Resolver, o.Rate, o.Burst = names, 1, 5 })
	h.open(t, egress.AllowedName{Name: "a.example", Ports: []int{587}}, egress.AllowedName{Name: "*.b.example", Ports: []int{443}})
	for name, want := range map[string]int{
		"a.example": http.StatusNoContent, "x.b.example": http.StatusNoContent, hostA: http.StatusNoContent,
		"b.example": http.StatusForbidden, "other.example": http.StatusForbidden,
	} {
		if status := h.knows(t, name); status != want {
			t.Errorf("%s: status %d, want %d", name, status, want)
		}
	}
	h.entry(t, "other.example", func(e spool.Entry) bool { return e.Decision == spool.Refused && e.Port == 0 })
	if len(names.asked) > 0 {
		t.Errorf("the gateway looked up %v", names.asked)
	}
	last := http.StatusNoContent
	for range 40 {
		last = h.knows(t, "a.example")
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the 45th question in a moment: status %d", last)
	}
	if _, _, status := h.connect(t, "c.example:443"); status != http.StatusForbidden {
		t.Errorf("questions used up the tunnels' budget: status %d", status)
	}
}

func TestSocketsBelongToTheSitesGroupAlone(t *testing.T) {
	h := newHouse(t, nil)
	h.open(t)
	for _, path := range []string{h.socket(siteA), h.mail(siteA)} {
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		sys := info.Sys().(*syscall.Stat_t)
		if info.Mode().Perm() != 0o660 || sys.Gid != gidA {
			t.Errorf("%s: %v of group %d", path, info.Mode(), sys.Gid)
		}
	}
	for name, c := range map[string]struct {
		uid  uint32
		want bool
	}{"the site": {gidA, true}, "another site": {gidB, false}} {
		if err := connectAs(h.socket(siteA), c.uid); (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// connectAs dials a socket as another user, in a process of its own.
func connectAs(socket string, id uint32) error {
	// The socket's directory is 0750 of the site's group; those above are open here.
	for dir := filepath.Dir(filepath.Dir(socket)); len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	cmd.Env = append(os.Environ(), "EGRESS_TEST_DIAL="+socket)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: id}}
	return cmd.Run()
}

func TestADirectoryOfTheWrongGroupOpensNothing(t *testing.T) {
	h := newHouse(t, nil)
	dir := h.gateDir(t, siteA, gidB)
	h.list(t)
	h.await(t, "the complaint", func() bool { return strings.Contains(h.logs.String(), "setgid") })
	if exists(h.socket(siteA)) {
		t.Error("the socket is there")
	}
	if err := os.Chown(dir, gatewayUID, gidA); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o750|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	h.await(t, "the socket after the repair", func() bool { return exists(h.socket(siteA)) })
}

func TestTheDirectoryMayComeAfterTheListAndBeMadeAnew(t *testing.T) {
	h := newHouse(t, nil)
	h.list(t)
	h.await(t, "the list", func() bool { return strings.Contains(h.logs.String(), "egress opened") })
	dir := h.gateDir(t, siteA, gidA)
	h.await(t, "the socket", func() bool { return exists(h.socket(siteA)) })
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	h.gateDir(t, siteA, gidA)
	h.await(t, "the socket in the new directory", func() bool { return exists(h.socket(siteA)) })
	if _, _, status := h.connect(t, "a.example:443"); status != http.StatusForbidden {
		t.Errorf("status %d", status)
	}
}

// The way out belongs to the release that visitors reach: the one before loses it, and what it has open goes on.
func TestTheWayOutFollowsTheRelease(t *testing.T) {
	h, target := withEcho(t, nil)
	conn, _, status := h.connect(t, target)
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	h.gateDir(t, filepath.Join(siteA, "r2"), gidA)
	l := list(egress.AllowedName{Name: "a.example", Ports: []int{443}})
	l.Release = "r2"
	if err := egress.WriteList(h.options.ListDir, l); err != nil {
		t.Fatal(err)
	}
	h.await(t, "the sockets of the new release alone", func() bool {
		second := filepath.Join(siteA, "r2")
		return exists(h.socket(second)) && exists(h.mail(second)) && !exists(h.socket(siteA)) && !exists(h.mail(siteA))
	})
	if _, err := conn.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	echo := make([]byte, 4)
	if _, err := io.ReadFull(conn, echo); err != nil || string(echo) != "ping" {
		t.Errorf("the open tunnel answers %q, %v", echo, err)
	}
	if err := egress.Health(t.Context(), h.options.SpoolDir, h.options.ListDir, h.options.RunDir); err != nil {
		t.Errorf("unhealthy: %v", err)
	}
}

func TestTheListDirectoryMayComeLater(t *testing.T) {
	h := newHouse(t, func(o *egress.Options) {
		if err := os.Remove(o.ListDir); err != nil {
			t.Fatal(err)
		}
	})
	h.await(t, "the complaint", func() bool { return strings.Contains(h.logs.String(), "keeping what was read last") })
	if err := os.Mkdir(h.options.ListDir, 0o755); err != nil {
		t.Fatal(err)
	}
	h.open(t)
}

func TestNoticesMakeTheGatewayPrompt(t *testing.T) {
	h := newHouse(t, func(o *egress.Options) { o.Rescan = time.Hour })
	h.gateDir(t, siteA, gidA)
	h.await(t, "the first look", func() bool { return exists(filepath.Join(h.options.SpoolDir, ".lock")) })
	h.await(t, "the socket, without a regular look", func() bool {
		h.list(t)
		return exists(h.socket(siteA))
	})
}

func TestAFaultyListLeavesTheLastGoodOneInForce(t *testing.T) {
	h, target := withEcho(t, nil)
	path := filepath.Join(h.options.ListDir, siteA+".json")
	if err := os.WriteFile(path, []byte(`{"format":1,"allow":[]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	h.await(t, "the complaint", func() bool { return strings.Contains(h.logs.String(), "keeping the last good one") })
	if _, _, status := h.connect(t, target); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	h.list(t)
	h.await(t, "the next good list", func() bool {
		_, _, status := h.connect(t, target)
		return status == http.StatusForbidden
	})
}

// A worker that was upgraded first may write what this gateway does not know.
func TestAListWithUnknownFieldsIsInForce(t *testing.T) {
	h, target := withEcho(t, nil)
	if _, _, status := h.connect(t, target); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	text, err := egress.EncodeList(list(egress.AllowedName{Name: "other.example", Ports: []int{443}}))
	if err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(string(text), `"ports"`, `"until": "2027-01-01", "ports"`, 1)
	if err := os.WriteFile(filepath.Join(h.options.ListDir, siteA+".json"), []byte(signed(t, newer)), 0o644); err != nil {
		t.Fatal(err)
	}
	h.await(t, "the newer list is in force", func() bool {
		_, _, status := h.connect(t, target)
		return status == http.StatusForbidden
	})
}

func TestFilesThatAreNoListsAreLeftAlone(t *testing.T) {
	h := newHouse(t, nil)
	for _, name := range []string{"README", ".list-123", "x.json", siteA + ".json~"} {
		if err := os.WriteFile(filepath.Join(h.options.ListDir, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h.open(t)
	if strings.Contains(h.logs.String(), "reading list") {
		t.Errorf("%s", h.logs)
	}
}

func TestStoppingRemovesTheSockets(t *testing.T) {
	h := newHouse(t, nil)
	h.open(t)
	h.stop()
	if exists(h.socket(siteA)) || exists(h.mail(siteA)) {
		t.Error("sockets left behind")
	}
}

func TestAFileInASocketsPlaceIsNotRemoved(t *testing.T) {
	h := newHouse(t, nil)
	dir := h.gateDir(t, siteA, gidA)
	path := filepath.Join(dir, "egress.sock")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.list(t)
	h.await(t, "the complaint", func() bool { return strings.Contains(h.logs.String(), path+" is no socket") })
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("%q, %v", text, err)
	}
	h.await(t, "the mail port", func() bool { return exists(h.mail(siteA)) })
}

func TestOptionsWithoutPathsAreRefused(t *testing.T) {
	err := egress.Run(t.Context(), egress.Options{ListDir: "/x"}, slog.New(slog.DiscardHandler))
	if !errors.Is(err, egress.ErrOptions) {
		t.Errorf("%v", err)
	}
}

// TestMain lets the test binary be a gateway, or a site, in its own process.
func TestMain(m *testing.M) {
	if root := os.Getenv("EGRESS_TEST_ROOT"); root != "" {
		h := house{root: root}
		err := egress.Run(context.Background(), egress.Options{
			ListDir: filepath.Join(h.root, "egress"), RunDir: filepath.Join(h.root, "app"),
			EdgeSocket: filepath.Join(h.root, "edge.sock"), SpoolDir: filepath.Join(h.root, "spool"),
		}, slog.New(slog.DiscardHandler))
		if err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	if socket := os.Getenv("EGRESS_TEST_DIAL"); socket != "" {
		if _, err := net.Dial("unix", socket); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
