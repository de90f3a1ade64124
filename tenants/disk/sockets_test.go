package disk_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"chatiere/tenants"
	"chatiere/tenants/disk"
)

func has(t *testing.T, d *disk.Disk, s tenants.Site, data, sockets bool) {
	t.Helper()
	if gotData, gotSockets, err := d.Has(t.Context(), s); err != nil || gotData != data || gotSockets != sockets {
		t.Errorf("data %v, sockets %v (%v); want %v, %v", gotData, gotSockets, err, data, sockets)
	}
}

func TestLostSocketsAreMadeAgainAndLostDataAreNot(t *testing.T) {
	root, d, s := fresh(t)
	has(t, d, s, false, false)
	must(t, d.Ensure(t.Context(), s))
	has(t, d, s, true, true)
	must(t, os.RemoveAll(filepath.Join(root, "run"))) // as a reboot does where it lies in memory
	has(t, d, s, true, false)
	must(t, d.EnsureSockets(t.Context(), s))
	must(t, d.EnsureSockets(t.Context(), s))
	has(t, d, s, true, true)
	check(t, root)
	must(t, os.Chmod(filepath.Join(root, "run/app", id, "gate"), 0o700))
	has(t, d, s, true, false)
	must(t, d.EnsureSockets(t.Context(), s))
	must(t, os.RemoveAll(filepath.Join(root, "sites", id)))
	must(t, d.EnsureSockets(t.Context(), s))
	has(t, d, s, false, true)
	if err := d.EnsureSockets(t.Context(), tenants.Site{ID: "../etc", UID: siteUID}); !errors.Is(err, tenants.ErrInvalid) {
		t.Errorf("sockets of %q: %v", "../etc", err)
	}
}

func TestTheHighestUserIDIsThatOfTheDataThere(t *testing.T) {
	root, d, s := fresh(t)
	highest := func(want int) {
		t.Helper()
		if got, err := d.HighestUID(t.Context(), 265535); err != nil || got != want {
			t.Errorf("got %d (%v), want %d", got, err, want)
		}
	}
	highest(0)
	must(t, d.Ensure(t.Context(), s))
	must(t, d.Ensure(t.Context(), tenants.Site{ID: "s000000007", UID: siteUID + 7}))
	must(t, d.Ensure(t.Context(), tenants.Site{ID: "s000000003", UID: siteUID + 3}))
	highest(siteUID + 7)
	must(t, os.Mkdir(filepath.Join(root, "sites", "s000000009"), 0o755)) // half made
	highest(siteUID + 7)
	far := filepath.Join(root, "sites", "s000000009", "data")
	must(t, os.Mkdir(far, 0o755))
	must(t, syscall.Chown(far, 300000, 300000)) // given by hand, above what sites get
	highest(siteUID + 7)
	must(t, syscall.Chown(far, 265535, 265535))
	highest(265535)
}
