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

func TestASiteIsToldWhoMayEnterItAndOnlyNewsAreWritten(t *testing.T) {
	root, d, site := fresh(t)
	must(t, d.Ensure(t.Context(), site))
	path := filepath.Join(root, "sites", id, "secrets", disk.EntrantsFile)
	for _, content := range []string{"one", "two"} {
		for _, news := range []bool{true, false} {
			changed, err := d.SaveEntrants(t.Context(), site, []byte(content))
			must(t, err)
			if changed != news {
				t.Errorf("%q: written %v, want %v", content, changed, news)
			}
		}
		info, err := os.Lstat(path)
		must(t, err)
		if have, err := os.ReadFile(path); err != nil || string(have) != content || info.Mode() != 0o400 || info.Sys().(*syscall.Stat_t).Uid != siteUID {
			t.Errorf("%q with mode %v of %d (%v)", have, info.Mode(), info.Sys().(*syscall.Stat_t).Uid, err)
		}
	}
	site.ID = "sgone00000"
	if _, err := d.SaveEntrants(t.Context(), site, []byte("x")); err == nil {
		t.Error("a site that is not there was told")
	}
}
