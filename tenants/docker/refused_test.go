package docker

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"chatiere/tenants"
)

func TestASocketThatMayNotBeOpenedIsRefusedAndOneThatIsNotThereUnavailable(t *testing.T) {
	for errno, want := range map[syscall.Errno]error{syscall.EACCES: tenants.ErrRefused, syscall.ECONNREFUSED: tenants.ErrUnavailable} {
		err := translate("asking", &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", errno)})
		if !errors.Is(err, want) {
			t.Errorf("%v is told as %v, want %v", errno, err, want)
		}
	}
}

func TestAHalfStartedContainerIsToldAsConflict(t *testing.T) {
	for _, said := range []string{
		"Error response from daemon: task 8b8978a6d1cd25e229bf60612a44bb0eaac85bebd10ea1348cf84bd5e98c6985: already exists",
		"Error response from daemon: id already in use",
	} {
		if err := translate("starting", errors.New(said)); !errors.Is(err, tenants.ErrConflict) {
			t.Errorf("told as %v", err)
		}
	}
	for _, said := range []string{"something else already exists", "Error response from daemon: port is already allocated"} {
		if err := translate("starting", errors.New(said)); errors.Is(err, tenants.ErrConflict) {
			t.Errorf("told as %v", err)
		}
	}
}

func TestADaemonThatForbidsIsToldAsRefused(t *testing.T) {
	for _, status := range []int{http.StatusForbidden, http.StatusUnauthorized} {
		socket := filepath.Join(t.TempDir(), "docker.sock")
		listener, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/_ping") {
				w.Header().Set("Api-Version", "1.41")
				return
			}
			http.Error(w, `{"message":"authorization denied by plugin"}`, status)
		}))
		server.Listener = listener
		server.Start()
		t.Cleanup(server.Close)
		e, err := New(Options{Host: "unix://" + socket, Instance: "test", Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close() })
		if _, err := e.List(t.Context(), nil); !errors.Is(err, tenants.ErrRefused) {
			t.Errorf("status %d is told as %v, want ErrRefused", status, err)
		}
	}
}
