//go:build e2e

package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"chatiere/panel/api"
)

// ownWay asks through the way from a site to its own name, with any server name ("-" for none) and any Host, and prints
// the answers' status lines. On port 80 it speaks without TLS.
const ownWay = `
error_reporting(0); set_time_limit(120);
function own($port, $sni, $host, $path, $method = "GET") {
  $c = stream_context_create(["ssl" => ["verify_peer" => false, "verify_peer_name" => false, "SNI_enabled" => $sni !== "-", "peer_name" => $sni]]);
  $s = stream_socket_client(($port == 80 ? "tcp" : "tls") . "://127.0.0.1:$port", $e, $m, 5, STREAM_CLIENT_CONNECT, $c);
  if (!$s) return "no connection";
  stream_set_timeout($s, 10);
  fwrite($s, "$method $path HTTP/1.1\r\nHost: $host\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  return trim((string) fgets($s)) ?: "no answer";
}
foreach (json_decode(getenv("T_ASKS")) as $a) echo implode(" ", $a), " -> ", own(...$a), "\n";
`

// owned runs ownWay in a site; each question is port, server name, host, path and maybe method.
func (i *instance) owned(t *testing.T, site, asks string) []string {
	t.Helper()
	out, err := tryRun("docker", "exec", "-e", "T_ASKS="+asks, i.container(site), "php", "-r", ownWay)
	if err != nil {
		t.Fatalf("from inside %s: %v\n%s", site, err, out)
	}
	return strings.Split(strings.TrimSpace(out), "\n")
}

// heldToItself: only the site itself is reached by the way to it, and what else was tried there is in the panel.
func (i *instance) heldToItself(t *testing.T, good, bad api.Site) {
	port := i.config.PublicPort
	public := func(host string) string { return fmt.Sprintf("%s:%d", host, port) }
	elsewhere := []string{i.config.Panel.Host, i.config.IdentityHost(), good.Host}
	var asks []string
	ask := func(port int, sni, host, path string) {
		asks = append(asks, fmt.Sprintf(`[%d,%q,%q,%q]`, port, sni, host, path))
	}
	ask(port, bad.Host, public(bad.Host), "/wp-json/")
	ask(443, bad.Host, bad.Host, "/wp-json/")
	ask(80, "-", bad.Host, "/")
	honest := len(asks)
	for _, host := range elsewhere {
		for _, p := range []int{port, 443} {
			ask(p, bad.Host, public(host), "/") // its own server name, another Host
			ask(p, host, public(host), "/")
			ask(p, "-", public(host), "/")
		}
		ask(80, "-", host, "/")
	}
	ask(80, "-", "localhost", "/")
	for n, line := range i.owned(t, bad.ID, "["+strings.Join(asks, ",")+"]") {
		answered := strings.Contains(line, "-> HTTP/1.1 ")
		switch {
		case n < honest && !strings.Contains(line, " 200 ") && !strings.Contains(line, " 301 "):
			t.Errorf("the site does not reach itself: %s", line)
		case n >= honest && answered && !strings.Contains(line, "-> HTTP/1.1 421 "):
			t.Errorf("the way to itself leads elsewhere: %s", line)
		}
	}
	for _, name := range append(elsewhere, "localhost") {
		i.tried(t, bad.ID, func(try api.Try) bool {
			return try.Name == name && try.Decision == "refused" && try.Reason == "own name led elsewhere"
		})
	}
}

// starves: a site that has as many requests to itself in flight as it can get, and 130 forged signals of the issuer, keep
// neither its neighbour from reaching itself nor the issuer's sign-outs from the panel.
func (i *instance) starves(t *testing.T, good, bad api.Site) {
	flood := exec.Command("docker", "exec", "-e", fmt.Sprintf("T_AT=127.0.0.1:%d", i.config.PublicPort), "-e", "T_HOST="+bad.Host, i.container(bad.ID), "php", "-r", `
		error_reporting(0); $h = [];
		$c = ["ssl" => ["verify_peer" => false, "verify_peer_name" => false, "peer_name" => getenv("T_HOST")]];
		for ($e = microtime(true) + 20; microtime(true) < $e;) {
			if (count($h) < 1000 && ($s = stream_socket_client("tls://" . getenv("T_AT"), $n, $m, 1, STREAM_CLIENT_CONNECT, stream_context_create($c)))) {
				fwrite($s, "POST /wp-comments-post.php HTTP/1.1\r\nHost: " . getenv("T_HOST") . "\r\nContent-Length: 1000000\r\n\r\nx"); $h[] = $s;
			} else usleep(50000);
		}`)
	if err := flood.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flood.Process.Kill(); _ = flood.Wait() }) // killed: it has no end of its own to tell
	for n := range 5 {
		for _, line := range i.owned(t, good.ID, fmt.Sprintf(`[[%d,%q,"%s:%d","/wp-json/"]]`, i.config.PublicPort, good.Host, good.Host, i.config.PublicPort)) {
			if !strings.Contains(line, " 200 ") {
				t.Errorf("try %d: the neighbour asks itself: %s", n, line)
			}
		}
	}
	i.forgeSignals(t, bad)
	member := i.summary.Member
	c := i.call(t, member)
	kc, user := i.realm(t)
	if err := kc.Logout(t.Context(), user.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the issuer's sign-out reaches the panel", func() (bool, string) { return !c.signedIn(t), "still signed in" })
}

// forgeSignals posts 130 forged logout tokens, from inside a site and from outside.
func (i *instance) forgeSignals(t *testing.T, bad api.Site) {
	asks := strings.Repeat(fmt.Sprintf(`[%d,%q,"%s:%d","/auth/backchannel-logout","POST"],`, i.config.PublicPort, bad.Host, i.config.Panel.Host, i.config.PublicPort), 10)
	for _, line := range i.owned(t, bad.ID, "["+strings.TrimSuffix(asks, ",")+"]") {
		if strings.Contains(line, "-> HTTP/1.1 ") && !strings.Contains(line, " 421 ") {
			t.Errorf("a site reaches the panel's back channel: %s", line)
		}
	}
	var wait sync.WaitGroup
	for range 130 {
		wait.Go(func() {
			res, err := i.web.PostForm(i.config.PanelURL()+"/auth/backchannel-logout", url.Values{"logout_token": {"eyJhbGciOiJSUzI1NiJ9.e30.AAAA"}})
			if err != nil {
				return // refused as well
			}
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				t.Error("a forged signal was believed")
			}
		})
	}
	wait.Wait()
}
