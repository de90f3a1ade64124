//go:build e2e

package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chatiere/panel/api"
	"chatiere/tenants"
)

// tries is what hostile code inside a site does to reach anything that is not the site's own. It prints what it reached.
const tries = `
error_reporting(0); set_time_limit(60);
function reached($what, $got) { echo "REACHED $what: ", substr(json_encode($got, JSON_INVALID_UTF8_SUBSTITUTE), 0, 200), "\n"; }
function dial($address, $say = "GET / HTTP/1.0\r\n\r\n") {
  $s = stream_socket_client($address, $e, $m, 2);
  if (!$s) return null;
  stream_set_timeout($s, 2);
  fwrite($s, $say);
  $got = fread($s, 200);
  fclose($s);
  return $got === "" || $got === false ? null : $got;
}
// What is its own it does reach: otherwise all that follows would say nothing.
if (null === dial("unix:///run/chatiere/http/http.sock", "GET /__health HTTP/1.0\r\n\r\n") || !file_exists("/data/wp-content")) echo "REACHED not even itself\n";
// Addresses, of the world, of the cloud's metadata, of this machine and its neighbours.
foreach (["1.1.1.1:443", "169.254.169.254:80", "100.100.100.200:80", "10.0.0.1:80", "172.17.0.1:22", "172.17.0.2:80", "192.168.0.1:80", "[::1]:80", "[fd00:ec2::254]:80", "[fe80::1%25lo]:80", "0.0.0.0:3306", "0x7f000001:3306", "2130706433:3306"] as $a)
  if (null !== $got = dial("tcp://$a")) reached("address $a", $got);
// A name server of the world, by UDP, with a question for a name.
$q = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03org\x00\x00\x01\x00\x01";
if (null !== $got = dial("udp://8.8.8.8:53", $q)) reached("a name server", bin2hex($got));
foreach (["metadata.google.internal", "localhost.localdomain", "host.docker.internal", "panel", "mariadb", "gateway"] as $name)
  if (($ip = gethostbyname($name)) !== $name) reached("the name $name", $ip);
// Ports of loopback, far and wide: what answers a stranger must be ours alone.
foreach (["127.0.0.1", "127.0.0.2", "127.0.0.53", "127.1.1.1", "127.255.255.254", "127.66.0.0", "127.66.255.255"] as $ip)
  foreach ([22, 80, 111, 443, 2375, 3306, 5432, 6379, 8080, 8443, 9000, 11211] as $port)
    if (null !== ($got = dial("tcp://$ip:$port")) && !str_contains($got, " 421 ")) reached("loopback $ip:$port", $got);
// Sockets that need a right.
if (function_exists("socket_create")) {
  foreach ([[AF_INET, SOCK_RAW, 1], [17, SOCK_RAW, 768], [16, SOCK_RAW, 0]] as $s)
    if ($x = socket_create(...$s)) if ($s[0] !== 16) reached("a raw socket", $s);
}
// The machine's and the neighbours' files, by name, by way of others, and through /proc.
$root = getenv("T_ROOT"); $other = getenv("T_OTHER");
foreach ([$root, "/var/run/docker.sock", "/run/docker.sock", "$root/sites/$other/data", "/run/chatiere/../../$other", "/run/chatiere/http/../../app/$other/http/http.sock",
          "/run/chatiere/gate/../../$other/gate/egress.sock", "/data/../../$other", "/proc/1/root$root", "/proc/1/cwd/..$root", "/proc/sys/kernel/core_pattern.new", "/dev/sda", "/dev/vda", "/dev/mem", "/dev/kmsg", "/sys/fs/cgroup/release_agent"] as $p)
  if (file_exists($p)) reached("the path $p", true);
foreach (["/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/sys/kernel/uevent_helper", "/etc/passwd", "/usr/bin/x", "/etc/siteinit.json"] as $p)
  if (is_writable($p)) reached("writing $p", true);
// Other sites' sockets of the database, the gateway and the web, under every name a socket can have.
foreach (["unix:///run/chatiere/http/$other.sock", "unix://\0chatiere", "unix:///run/mysqld/../chatiere/$other/http.sock"] as $a)
  if (null !== $got = dial($a)) reached("the socket $a", $got);
// Links that point out, for whatever walks here as root.
@mkdir("/data/wp-content/uploads");
foreach (["out" => "/", "etc" => "/etc", "root" => $root, "neighbour" => "$root/sites/$other", "shadow" => "/etc/shadow", "canary" => getenv("T_CANARY"), "loop" => "loop", "up" => "../../../../$other"] as $name => $to)
  symlink($to, "/data/wp-content/uploads/$name");
foreach (["/run/chatiere/http/next", "/data/link"] as $l) symlink("$root/run/app/$other/http/http.sock", $l);
echo "TRIED\n";
`

// floods are the assaults that cost others time. Each goes on for some seconds.
var floods = []struct{ name, command string }{
	{"10,000 connections to the gateway", flood("/run/chatiere/gate/egress.sock", "")},
	{"10,000 connections to itself", flood("/run/chatiere/http/http.sock", "")},
	{"10,000 half requests to itself", flood("/run/chatiere/http/http.sock", `GET / HTTP/1.1\r\nHost: x\r\nX: `)},
	{"10,000 connections to the database", flood("/run/mysqld/mysqld.sock", "")},
	{"10,000 names", `php -r 'for ($i = 0, $e = microtime(true) + 4; $i < 10000 && microtime(true) < $e; $i++) gethostbyname("n$i.example.org");'`},
	{"memory", `php -d memory_limit=-1 -r '$a = []; for ($i = 0; $i < 1000; $i++) { $a[] = str_repeat("x", 8 << 20); }'`},
	{"forks", `timeout -s KILL 5 sh -c 'b() { b | b & }; b; sleep 4'`},
}

// flood opens connections as fast as it can for four seconds, says a little on each, and holds as many as it may.
func flood(socket, say string) string {
	return fmt.Sprintf(`php -r 'error_reporting(0); $h = []; $say = "%s"; for ($i = 0, $e = microtime(true) + 4; microtime(true) < $e; ) {
		if ($i < 10000 && ($s = stream_socket_client("unix://%s", $n, $m, 0.2))) { $i++; if ($say !== "") fwrite($s, $say); $h[] = $s; } else usleep(20000); } echo $i;'`, say, socket)
}

// visitor asks for a page over and over.
type visitor struct {
	mu     sync.Mutex
	took   []time.Duration
	faults []string
	stop   context.CancelFunc
	done   chan struct{}
}

// visit asks for the site's front page, which PHP and the database make, some twenty times a second.
func (i *instance) visit(url string) *visitor {
	ctx, stop := context.WithCancel(context.Background())
	v := &visitor{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(v.done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			began := time.Now()
			status, _, err := i.try(ctx, fmt.Sprintf("%s/?fresh=%d", at(url), n))
			if ctx.Err() != nil {
				return
			}
			v.mu.Lock()
			v.took = append(v.took, time.Since(began))
			if err != nil || status != http.StatusOK {
				v.faults = append(v.faults, fmt.Sprint(status, " ", err))
			}
			v.mu.Unlock()
		}
	}()
	return v
}

// end returns the median, how many were asked, and what failed.
func (v *visitor) end() (time.Duration, int, []string) {
	v.stop()
	<-v.done
	if len(v.took) == 0 {
		return 0, 0, v.faults
	}
	slices.Sort(v.took)
	return v.took[len(v.took)/2], len(v.took), v.faults
}

func TestAHostileSiteReachesNothingAndHarmsNobody(t *testing.T) {
	i := open(t)
	good, bad := i.demoSite(t), i.newSite(t)
	canary := filepath.Join(i.config.Root, "canary-"+random())
	if err := os.WriteFile(canary, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(canary) })

	t.Run("it reaches nothing", func(t *testing.T) {
		out, err := tryRun("docker", "exec", "-e", "T_ROOT="+i.config.Root, "-e", "T_OTHER="+good.ID, "-e", "T_CANARY="+canary, i.container(bad.ID), "php", "-r", tries)
		if err != nil || !strings.HasSuffix(out, "TRIED") || strings.Contains(out, "REACHED") {
			t.Errorf("from inside a hostile site: %v\n%s", err, out)
		}
	})
	t.Run("the way to itself leads nowhere else", func(t *testing.T) { i.heldToItself(t, i.site(t, good.ID), bad) })
	t.Run("the way to itself starves nobody", func(t *testing.T) { i.starves(t, i.site(t, good.ID), bad) })
	t.Run("it harms nobody", func(t *testing.T) { i.assaults(t, good.URL, bad) })
	t.Run("what it takes of all is noticed, and it alone is stopped", func(t *testing.T) { i.greed(t, good.ID, good.URL, bad) })
	t.Run("it leads nobody astray", func(t *testing.T) { i.astray(t, good.ID, bad) })
	t.Run("the panel tells how it is, and a volunteer ends it", func(t *testing.T) { i.ended(t, bad) })

	i.gone(t, bad.ID)
	if b, err := os.ReadFile(canary); err != nil || string(b) != "precious" {
		t.Errorf("purging the site followed its links: %q, %v", b, err)
	}
	if status, _ := i.page(t, at(good.URL)+"/"); status != http.StatusOK {
		t.Errorf("its neighbour answers %d afterwards", status)
	}
}

// assaults floods, one thing after the other, while a visitor goes on reading the neighbour's pages.
func (i *instance) assaults(t *testing.T, url string, bad api.Site) {
	v := i.visit(url)
	time.Sleep(4 * time.Second) // not a wait: the measure that the others are held against
	calm, n, faults := v.end()
	if n < 5 || len(faults) > 0 {
		t.Fatalf("in peace: %d requests, %v failed", n, faults)
	}
	t.Logf("in peace: median %s of %d", calm.Round(time.Millisecond), n)
	for _, f := range floods {
		v := i.visit(url)
		out, _ := tryRun("docker", "exec", i.container(bad.ID), "sh", "-c", f.command) // it may well be killed
		median, n, faults := v.end()
		t.Logf("%s (%.40q): median %s of %d, %.2f times", f.name, out, median.Round(time.Millisecond), n, float64(median)/float64(max(calm, 1)))
		if len(faults) > 0 {
			t.Errorf("%s: %d of %d requests to the neighbour failed: %.300v", f.name, len(faults), n, faults)
		}
		// Some machines do other work at the same time; what would be a failure stands out all the same.
		if median > 6*calm+100*time.Millisecond {
			t.Errorf("%s: the neighbour's pages take %s, %s in peace", f.name, median, calm)
		}
	}
	// Forks go on by themselves for as long as they are lucky, and what comes next needs a process or two.
	run(t, "docker", "restart", "-t", "0", i.container(bad.ID))
	eventually(t, time.Minute, "the site answers after all that", func() (bool, string) {
		status, body := i.page(t, at(bad.URL)+"/")
		return status == http.StatusOK, fmt.Sprintf("%d %.100q", status, body)
	})
}

// remember fills variables of the database with 100 MiB a second, over and over, on connections that are ended again and again.
const remember = `
error_reporting(0); mysqli_report(MYSQLI_REPORT_OFF);
for ($e = microtime(true) + 60; microtime(true) < $e; usleep(100000)) {
  $db = mysqli_init();
  if (!$db->real_connect(null, getenv("DB_USER"), trim(file_get_contents("/run/secrets/site/db_password")), getenv("DB_NAME"), 0, getenv("DB_SOCKET"))) continue;
  for ($i = 0; $i < 7 && $db->query("SET @v$i = REPEAT('x', 20000000)"); $i++) usleep(150000);
  usleep(2000000);
}`

// greed: what a site writes beside its socket is removed, and one that takes the memory of the database is locked out and
// suspended. A visitor of the neighbour notices neither.
func (i *instance) greed(t *testing.T, good, url string, bad api.Site) {
	v := i.visit(url)
	fill := filepath.Join(i.config.Root, "run/app", bad.ID, "http/fill")
	run(t, "docker", "exec", i.container(bad.ID), "sh", "-c", "for i in 1 2 3 4 5 6 7 8; do head -c 52428800 /dev/zero; sleep 0.2; done >/run/chatiere/http/fill")
	eventually(t, time.Minute, "what lies beside the socket is removed", func() (bool, string) {
		_, err := os.Lstat(fill)
		return errors.Is(err, fs.ErrNotExist), fmt.Sprint(err)
	})
	for _, refused := range []string{"CREATE TEMPORARY TABLE x (a INT)", "SET SESSION enforce_storage_engine = NULL"} {
		out, _ := tryRun("docker", "exec", i.container(bad.ID), "php", "-r", `mysqli_report(MYSQLI_REPORT_OFF); $db = mysqli_init();
			$db->real_connect(null, getenv("DB_USER"), trim(file_get_contents("/run/secrets/site/db_password")), getenv("DB_NAME"), 0, getenv("DB_SOCKET"));
			echo $db->query($argv[1]) ? "done" : "refused ".$db->errno;`, refused)
		if !strings.HasPrefix(out, "refused 1") {
			t.Errorf("%s: %q", refused, out)
		}
	}
	run(t, "docker", "exec", "-d", i.container(bad.ID), "php", "-d", "memory_limit=-1", "-r", remember)
	eventually(t, time.Minute, "the site that takes the database is suspended", func() (bool, string) {
		s := i.site(t, bad.ID)
		return s.State == string(tenants.StateSuspended), s.State
	})
	if _, n, faults := v.end(); len(faults) > 0 {
		t.Errorf("%d of %d requests to the neighbour failed: %.300v", len(faults), n, faults)
	}
	if s := i.site(t, good); s.State != string(tenants.StateReady) {
		t.Errorf("the neighbour is %s", s.State)
	}
	eventually(t, time.Minute, "the panel says why", func() (bool, string) {
		found := i.found(t, "?site="+bad.ID)
		return slices.Contains(found, bad.ID+" "+string(tenants.FindingDatabaseLocked)), fmt.Sprint(found)
	})
	eventually(t, time.Minute, "its suspension to end", func() (bool, string) { // the finding may be there before
		op, busy := i.busy(t, bad.ID)
		return !busy, op.ID
	})
	i.done(t, i.wish(t, api.Item(api.PathSites, bad.ID, "resume"), nil), 2*time.Minute)
	eventually(t, time.Minute, "the site answers again, from its database", func() (bool, string) {
		status, _, err := i.try(t.Context(), at(bad.URL)+"/?"+random())
		return status == http.StatusOK, fmt.Sprint(status, err)
	})
}

// astray puts links to the neighbour's socket in place of the site's own: proxy and probes must not follow them.
func (i *instance) astray(t *testing.T, good string, bad api.Site) {
	for _, target := range []string{i.config.Paths().AppSocket(good, i.site(t, good).Release.Sockets), i.config.Paths().SitesMariaDBSocket(), filepath.Join(i.config.Root, "run/worker/worker.sock")} {
		run(t, "docker", "exec", i.container(bad.ID), "sh", "-c", "ln -s '"+target+"' /run/chatiere/http/next && mv -T /run/chatiere/http/next /run/chatiere/http/http.sock || ln -sf '"+target+"' /run/chatiere/http/http.sock")
		// Connections that were open before lead to the site itself, and go on for a while: nginx closes them when told to.
		run(t, "docker", "exec", i.container(bad.ID), "sh", "-c", "kill -HUP $(cat /run/nginx.pid)")
		eventually(t, 20*time.Second, "the proxy follows no link to "+filepath.Base(target), func() (bool, string) {
			status, body := i.page(t, at(bad.URL)+"/?"+random())
			if status == http.StatusOK && !strings.Contains(body, bad.Name) {
				t.Fatalf("led to %s, the proxy answers %d: %.200q", filepath.Base(target), status, body)
			}
			return status >= http.StatusInternalServerError && !strings.Contains(body, "wp-content"), fmt.Sprintf("%d %.100q", status, body)
		})
	}
}

// ended: while forks fill the site, the panel says that it is down; a volunteer can suspend it, put it back, and it serves.
func (i *instance) ended(t *testing.T, bad api.Site) {
	cmd := exec.Command("docker", "exec", "-d", i.container(bad.ID), "sh", "-c", "b() { b | b & }; while :; do b; done")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("starting the forks: %v\n%s", err, out)
	}
	eventually(t, 2*time.Minute, "the panel says that the site is down", func() (bool, string) {
		s := i.site(t, bad.ID)
		said, _ := json.Marshal(s)
		return s.Health == "down" && s.ProbedAt != nil && time.Since(*s.ProbedAt) < time.Minute, string(said)
	})
	i.done(t, i.wish(t, api.Item(api.PathSites, bad.ID, "suspend"), nil), time.Minute)
	i.done(t, i.wish(t, api.Item(api.PathSites, bad.ID, "resume"), nil), 2*time.Minute)
	eventually(t, time.Minute, "the site answers again", func() (bool, string) {
		status, _, err := i.try(t.Context(), at(bad.URL)+"/")
		return status == http.StatusOK, fmt.Sprint(status, err)
	})
}
