//go:build e2e

package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"chatiere/panel/api"
	"chatiere/tenants"
)

const (
	// standinName is what deploy/compose/test.yml calls the stand-in server for the gateway, and egress.allow names.
	standinName = "standin.chatiere.test"
	// atOnce is how soon what is refused must have failed: nothing may hang until a time-out.
	atOnce = 5 * time.Second
)

// standin serves HTTPS where egress.permit opens a private address, and returns its certificate's fingerprint.
func standin(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: standinName}, DNSNames: []string{standinName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", needed(t, "CHATIERE_TEST_PERMIT"), &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "standin saw %s", r.Host)
	})}
	go func() { _ = srv.Serve(l) }() // ends with Close
	t.Cleanup(func() { _ = srv.Close() })
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// php runs a script inside a site's container, as its own user, and returns what it printed and how long it took.
func (i *instance) php(t *testing.T, site, script string) (string, time.Duration) {
	t.Helper()
	began := time.Now()
	out, err := exec.Command("docker", "exec", i.container(site), "php", "-r", script).CombinedOutput()
	if err != nil {
		t.Fatalf("php in %s: %v\n%s", site, err, out)
	}
	return string(out), time.Since(began)
}

func TestASiteReachesAnAllowedNameWithTLSIntact(t *testing.T) {
	i := open(t)
	site := i.demoSite(t).ID
	fingerprint := standin(t)
	_, port, err := net.SplitHostPort(needed(t, "CHATIERE_TEST_PERMIT"))
	if err != nil {
		t.Fatal(err)
	}
	out, _ := i.php(t, site, fmt.Sprintf(`
		$c = stream_context_create(["ssl" => ["capture_peer_cert" => true, "verify_peer" => false, "verify_peer_name" => false]]);
		$s = stream_socket_client("ssl://%s:%s", $e, $m, 10, STREAM_CLIENT_CONNECT, $c);
		if (!$s) { die("failed: $m"); }
		echo openssl_x509_fingerprint(stream_context_get_params($s)["options"]["ssl"]["peer_certificate"], "sha256"), "\n";
		fwrite($s, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n");
		echo stream_get_contents($s);`, standinName, port, standinName))
	if !strings.HasPrefix(out, fingerprint) || !strings.Contains(out, "standin saw "+standinName) {
		t.Errorf("the site saw %.200q; want the stand-in's own certificate %s and its answer", out, fingerprint)
	}
}

func TestWordPressNamesTheHostThatASiteMayNotReach(t *testing.T) {
	i := open(t)
	out, _ := i.php(t, i.demoSite(t).ID, `
		require "/opt/wordpress/wp-load.php";
		require_once ABSPATH . "wp-admin/includes/file.php";
		foreach ([download_url("https://refused.example.org/a.zip"), wp_safe_remote_get("http://169.254.169.254/")] as $r) echo implode(" ", $r->get_error_messages()), "\n";`)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "refused.example.org") || !strings.Contains(lines[1], "169.254.169.254") {
		t.Errorf("a plugin's update is told %q", lines)
	}
}

func TestASiteReachesItselfByName(t *testing.T) {
	i := open(t)
	site := i.demoSite(t)
	out, _ := i.php(t, site.ID, fmt.Sprintf(`
		$c = stream_context_create(["ssl" => ["verify_peer" => false], "http" => ["timeout" => 10]]);
		echo substr(file_get_contents("%s/wp-json/", false, $c), 0, 200);`, at(site.URL)))
	if !strings.Contains(out, `"name"`) {
		t.Errorf("asking itself answered %.200q", out)
	}
}

func TestWhatASiteMayNotReachFailsAtOnceAndIsLogged(t *testing.T) {
	i := open(t)
	site := i.demoSite(t).ID
	name := "refused-" + random() + ".example.org"
	bridge, _, err := net.SplitHostPort(needed(t, "CHATIERE_TEST_PERMIT"))
	if err != nil {
		t.Fatal(err)
	}
	targets := []string{
		name + ":443", "1.1.1.1:443", "169.254.169.254:80", bridge + ":22", bridge + ":" + fmt.Sprint(i.config.PublicPort),
		i.config.Panel.Host + ":" + fmt.Sprint(i.config.PublicPort), i.config.IdentityHost() + ":" + fmt.Sprint(i.config.PublicPort),
		"127.66.200.200:443", "[::1]:443", "172.17.0.1:80",
	}
	for _, target := range targets {
		host, port, err := net.SplitHostPort(target)
		if err != nil {
			t.Fatal(err)
		}
		out, took := i.php(t, site, fmt.Sprintf(`
			$s = @stream_socket_client("tcp://%s:%s", $e, $m, 20);
			if (!$s) { die("refused"); }
			stream_set_timeout($s, 5);
			fwrite($s, "GET / HTTP/1.0\r\n\r\n");
			$got = fread($s, 100);
			echo $got === "" || $got === false ? "refused" : "reached: $got";`, bracketed(host), port))
		if out != "refused" || took > atOnce {
			t.Errorf("%s: %q after %s; want it refused at once", target, out, took.Round(time.Millisecond))
		}
	}
	eventually(t, 15*time.Second, "the refusal in the gateway's log", func() (bool, string) {
		log := run(t, "docker", "logs", "--since", "2m", i.container("gateway"))
		for line := range strings.Lines(log) {
			if strings.Contains(line, name) && strings.Contains(line, site) {
				return true, ""
			}
		}
		return false, "not there"
	})
}

func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

func TestASiteSeesNothingOfItsNeighbours(t *testing.T) {
	i := open(t)
	site, other := i.demoSite(t).ID, i.newSite(t)
	t.Cleanup(func() { i.gone(t, other.ID) })
	out, _ := i.php(t, site, fmt.Sprintf(`
		foreach (["%s", "/var/run/docker.sock", "/run/chatiere/../../%s", "/run/chatiere/http/../../app/%s/http/http.sock"] as $p) {
			echo $p, file_exists($p) ? " exists\n" : " absent\n";
		}
		$password = trim(file_get_contents(getenv("DB_PASSWORD_FILE")));
		try { $db = new mysqli("localhost", getenv("DB_USER"), $password, getenv("DB_NAME"), 0, getenv("DB_SOCKET")); echo "own database open\n"; }
		catch (mysqli_sql_exception $e) { echo "own database: ", $e->getMessage(), "\n"; }
		foreach (["%s", "mysql"] as $name) {
			try { $db->select_db($name); $db->query("SHOW TABLES")->num_rows and print("sees $name\n"); }
			catch (mysqli_sql_exception $e) { echo "closed $name\n"; }
		}
		foreach ($db->query("SHOW DATABASES") as $row) { echo "database ", $row["Database"], "\n"; }
		echo file_get_contents("/proc/net/dev");`,
		i.config.Root, i.config.Root, other.ID, tenants.DatabaseName(other.ID, 1)))
	for _, bad := range []string{" exists", "sees ", "database " + tenants.DatabaseName(other.ID, 1), "eth0"} {
		if strings.Contains(out, bad) {
			t.Errorf("from inside a site: %q in\n%s", bad, out)
		}
	}
	for _, want := range []string{"own database open", "closed " + tenants.DatabaseName(other.ID, 1), "closed mysql", "lo:"} {
		if !strings.Contains(out, want) {
			t.Errorf("from inside a site: no %q in\n%s", want, out)
		}
	}
}

func TestRefusedPathsOfAnApplicationAreNeverServed(t *testing.T) {
	i := open(t)
	site := i.demoSite(t)
	for _, path := range []string{
		"/wp-admin/install.php", "/wp-admin/setup-config.php", "/wp-config.php", "/.htaccess", "/wp-content/debug.log", "/xmlrpc.php",
		"/wp-content/uploads/x.php", "/wp-content/uploads/x.php/", "//wp-admin//install.php", "/wp-admin/./install.php",
		"/wp-admin/%69nstall.php", "/x/../wp-admin/install.php",
	} {
		status, _ := i.page(t, at(site.URL)+path)
		if status != http.StatusNotFound && status != http.StatusBadRequest {
			t.Errorf("%s answers %d, want 404", path, status)
		}
	}
}

// One SIGKILL between the request and its row: the panel dies while wishes are on their way. Each is afterwards either a
// whole operation or nothing at all.
func TestWishesSentWhileThePanelIsKilledAreWholeOrNothing(t *testing.T) {
	i := open(t)
	before := i.inventory(t)
	const wishes = 6
	sent := make(chan struct{}, wishes)
	names := map[string]bool{}
	for range wishes {
		wish := i.siteWish("Killed " + random())
		names[wish.Name] = true
		go func() {
			_ = i.panel.Post(t.Context(), api.PathSites, wish, "", nil) // the answer may be lost: that is what is tried
			sent <- struct{}{}
		}()
	}
	i.kill(t, "panel")
	for range wishes {
		<-sent
	}
	i.start(t, "panel")
	var left []api.Site
	eventually(t, converge, "every wish that became a row is carried out", func() (bool, string) {
		var l api.List[api.Site]
		if err := i.panel.Get(t.Context(), api.PathSites, &l); err != nil {
			return false, explain(err)
		}
		left = left[:0]
		for _, s := range l.Items {
			if !names[s.Name] {
				continue
			}
			if s.State != "ready" {
				return false, s.ID + " is " + s.State
			}
			// The last step makes a site ready; its operation ends an instant later, and keeps others away until then.
			if op, busy := i.busy(t, s.ID); busy {
				return false, op.Kind + " of " + s.ID + " is " + op.State
			}
			left = append(left, s)
		}
		return true, ""
	})
	t.Logf("%d of %d wishes became sites", len(left), wishes)
	for _, s := range left {
		i.gone(t, s.ID)
	}
	if more, less := leftOver(before, i.inventory(t)); len(more)+len(less) > 0 {
		t.Errorf("after all are purged there is more: %v, and less: %v", more, less)
	}
}
