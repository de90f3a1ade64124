package egress_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"chatiere/reverseproxy/egress"
)

func TestAGatewayIsWellWhenItHoldsItsLockAndServesASite(t *testing.T) {
	spool, lists, run := t.TempDir(), t.TempDir(), t.TempDir()
	look := func() error { return egress.Health(t.Context(), spool, lists, run) }
	if err := look(); !errors.Is(err, egress.ErrUnhealthy) {
		t.Errorf("without a lock: %v", err)
	}
	lock, err := os.Create(filepath.Join(spool, ".lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := look(); !errors.Is(err, egress.ErrUnhealthy) {
		t.Errorf("with a lock that nobody holds: %v", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := look(); err != nil {
		t.Errorf("without any site: %v", err)
	}
	for _, name := range []string{"s1.json", "s2.json", ".tmp-s3.json", "notes"} {
		if err := os.WriteFile(filepath.Join(lists, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := look(); !errors.Is(err, egress.ErrUnhealthy) {
		t.Errorf("with sites and no socket: %v", err)
	}
	dir := filepath.Join(run, "s2", "gate")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "egress.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := look(); err != nil {
		t.Errorf("with one site that is served: %v", err)
	}
}
