package reverseproxy_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chatiere/reverseproxy"
	"chatiere/reverseproxy/certs"
)

// load asks for pages without pause until stop is called, which returns how many there were.
func load(t *testing.T, p *proxy, workers int) (stop func() int64) {
	var requests, end atomic.Int64
	var group sync.WaitGroup
	for i := range workers {
		client := p.client(i%2 == 0)
		group.Go(func() {
			for end.Load() == 0 {
				resp, err := client.Get("https://" + siteHost + "/")
				if err != nil {
					t.Errorf("request failed: %v", err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != 200 || (string(body) != "old" && string(body) != "new") {
					t.Errorf("status %d, %q, %v", resp.StatusCode, body, err)
					return
				}
				requests.Add(1)
			}
		})
	}
	return func() int64 {
		end.Store(1)
		group.Wait()
		return requests.Load()
	}
}

func TestChangingRoutesDropsNoRequest(t *testing.T) {
	old := backend(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "old") })
	fresh := backend(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "new") })
	p := start(t, nil, serving(old))
	stop := load(t, p, 6)
	for i := range 60 {
		table := []reverseproxy.Route{serving([]string{old, fresh}[i%2])}
		for n := range i * 5 {
			table = append(table, reverseproxy.Route{Host: fmt.Sprintf("n%d.%s", n, domain), Site: "other", State: reverseproxy.StateAsleep})
		}
		p.write(table...)
		if i%10 == 5 {
			os.WriteFile(p.routesFile(), []byte(`{"format":1,"vers`), 0o644) // and a broken one now and then
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := stop(); n < 100 {
		t.Errorf("only %d requests were made", n)
	}
	eventually(t, "the last table is in force", func() bool {
		_, body := get(t, p.client(true), "https://"+siteHost+"/")
		return body == "new"
	})
}

func TestNewCertificateFailsNoHandshake(t *testing.T) {
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "old") })
	p := start(t, nil, serving(socket))
	leaf := func() string {
		c, err := tls.Dial("tcp", p.https, &tls.Config{RootCAs: p.roots, ServerName: siteHost})
		if err != nil {
			t.Fatalf("handshake failed: %v", err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	dirs := certs.Dirs{CA: filepath.Join(p.dir, "ca"), Leaf: filepath.Join(p.dir, "certs")}
	seen := map[string]bool{leaf(): true}
	for range 5 {
		if err := os.Remove(filepath.Join(dirs.Leaf, certs.LeafFile)); err != nil {
			t.Fatal(err)
		}
		leaf() // without any file, the last good one serves
		if changed, err := certs.EnsureLocal(dirs, []string{domain}, time.Now); err != nil || !changed {
			t.Fatalf("changed %v, %v", changed, err)
		}
		eventually(t, "the new certificate is served", func() bool {
			serial := leaf()
			fresh := !seen[serial]
			seen[serial] = true
			return fresh
		})
	}
}
