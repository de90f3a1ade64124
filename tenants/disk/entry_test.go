//go:build integration

package disk_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"chatiere/tenants/disk"
)

func TestSitesThatAreThereAreGivenThePanelsKeyAndSeeItExchanged(t *testing.T) {
	root, d, site := fresh(t)
	must(t, d.Ensure(t.Context(), site))
	place := filepath.Join(root, "sites", id, "secrets")
	for _, key := range []string{"one", "two"} {
		d = disk.New(disk.Options{Root: root, ProxyGID: proxyGID, GatewayUID: gatewayUID, DatabaseUID: databaseUID, Entry: []byte(key)})
		if ready, err := d.Ready(t.Context(), site); err != nil || ready {
			t.Errorf("before %q is there: ready %v (%v)", key, ready, err)
		}
		for range 2 {
			must(t, d.EnsureEntry(t.Context(), site))
		}
		path := filepath.Join(place, disk.EntryFile)
		content, err := os.ReadFile(path)
		must(t, err)
		info, err := os.Lstat(path)
		must(t, err)
		if string(content) != key || info.Mode() != 0o400 || info.Sys().(*syscall.Stat_t).Uid != siteUID {
			t.Errorf("%q with mode %v of %d", content, info.Mode(), info.Sys().(*syscall.Stat_t).Uid)
		}
		if ready, err := d.Ready(t.Context(), site); err != nil || !ready {
			t.Errorf("with %q: ready %v (%v)", key, ready, err)
		}
	}
	if left, err := os.ReadDir(place); err != nil || len(left) != 4 {
		t.Errorf("%d files beside each other (%v), want three secrets and the key", len(left), err)
	}
}
