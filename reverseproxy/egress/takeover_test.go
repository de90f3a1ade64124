package egress_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"chatiere/reverseproxy/egress"
)

func TestASecondGatewayWaitsForTheFirst(t *testing.T) {
	h := newHouse(t, nil)
	h.open(t)
	logs := &logBook{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- egress.Run(ctx, h.options, slog.New(slog.NewTextHandler(logs, nil))) }()
	h.await(t, "the second gateway to wait", func() bool { return strings.Contains(logs.String(), "waiting for its end") })
	h.stop()
	h.await(t, "the second gateway's socket", func() bool { return exists(h.socket(siteA)) })
	cancel()
	if err := <-done; err != nil {
		t.Errorf("%v", err)
	}
}

func TestAGatewayThatIsStoppedWhileItWaitsEndsWell(t *testing.T) {
	h := newHouse(t, nil)
	h.open(t)
	logs := &logBook{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- egress.Run(ctx, h.options, slog.New(slog.NewTextHandler(logs, nil))) }()
	h.await(t, "the second gateway to wait", func() bool { return strings.Contains(logs.String(), "waiting for its end") })
	cancel()
	if err := <-done; err != nil {
		t.Errorf("%v", err)
	}
}

// The killed one runs as nobody special: sockets take their group from the
// directory, not from the process.
func TestAGatewayTakesOverAfterAKill(t *testing.T) {
	h := newHouse(t, nil)
	h.open(t)
	h.stop()
	for _, dir := range []string{h.root, h.options.SpoolDir, filepath.Join(h.options.SpoolDir, ".lock")} {
		if err := errors.Join(os.Chmod(dir, 0o755), os.Chown(dir, gatewayUID, gatewayUID)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	cmd.Env = append(os.Environ(), "EGRESS_TEST_ROOT="+h.root)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: gatewayUID, Gid: gatewayUID}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h.await(t, "the gateway in its own process", func() bool { return exists(h.socket(siteA)) && exists(h.mail(siteA)) })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if !exists(h.socket(siteA)) {
		t.Fatal("a killed gateway tidied up: the test proves nothing")
	}
	h.start(t)
	h.await(t, "an answer on the stale path", func() bool {
		conn, err := net.Dial("unix", h.socket(siteA))
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	})
	if _, _, status := h.connect(t, "a.example:443"); status != http.StatusForbidden {
		t.Errorf("status %d", status)
	}
}
