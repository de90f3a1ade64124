//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"chatiere/panel/api"
)

// hosts is the gateway's own list of names, which its resolver asks first and which we control: names of one test.
type hosts struct {
	*testing.T
	path string
}

func (i *instance) hosts(t *testing.T) hosts {
	t.Helper()
	h := hosts{t, strings.TrimSpace(run(t, "docker", "inspect", "-f", "{{.HostsPath}}", i.container("gateway")))}
	before, err := os.ReadFile(h.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.write(before) })
	return h
}

// write keeps the file itself, since the container holds it and not its name.
func (h hosts) write(text []byte) {
	h.Helper()
	if err := os.WriteFile(h.path, text, 0o644); err != nil {
		h.Fatal(err)
	}
}

// say adds what a name answers from now on, in place of what it answered before.
func (h hosts) say(name string, addresses ...string) {
	h.Helper()
	before, err := os.ReadFile(h.path)
	if err != nil {
		h.Fatal(err)
	}
	var text strings.Builder
	for line := range strings.Lines(string(before)) {
		if !strings.Contains(line, name) {
			text.WriteString(line)
		}
	}
	for _, a := range addresses {
		text.WriteString(a + "\t" + name + "\n")
	}
	h.write([]byte(text.String()))
}

// connects opens a connection from inside a site, with TLS for the server as, or without if that is empty, and tells
// whether the stand-in answered.
func (i *instance) connects(t *testing.T, site, name, port, as string) (bool, time.Duration) {
	t.Helper()
	scheme := "tcp"
	if as != "" {
		scheme = "ssl"
	}
	out, took := i.php(t, site, fmt.Sprintf(`
		$c = stream_context_create(["ssl" => ["verify_peer" => false, "verify_peer_name" => false, "peer_name" => "%s"]]);
		$s = @stream_socket_client("%s://%s:%s", $e, $m, 20, STREAM_CLIENT_CONNECT, $c);
		if (!$s) { die("refused"); }
		stream_set_timeout($s, 10);
		fwrite($s, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n");
		echo stream_get_contents($s);`, as, scheme, name, port, name))
	return strings.Contains(out, "standin saw "+name), took
}

// tried waits until the panel tells of a try, and returns it.
func (i *instance) tried(t *testing.T, site string, fits func(api.Try) bool) api.Try {
	t.Helper()
	var found api.Try
	eventually(t, 30*time.Second, "what the site tried, in the panel", func() (bool, string) {
		var l api.List[api.Try]
		if err := i.panel.Get(t.Context(), api.Item(api.PathSites, site, "egress", "tries"), &l); err != nil {
			return false, explain(err)
		}
		for _, try := range l.Items {
			if fits(try) {
				found = try
				return true, ""
			}
		}
		return false, "not there"
	})
	return found
}

// access asks, or decides by act.
func (i *instance) access(t *testing.T, site string, wish any, path ...string) api.Access {
	t.Helper()
	var a api.Access
	if err := i.panel.Post(t.Context(), api.Item(api.PathSites, site, append([]string{"egress", "access"}, path...)...), wish, "", &a); err != nil {
		t.Fatalf("%v: %v", path, explain(err))
	}
	return a
}

// granted opens a name to a site until the test is over.
func (i *instance) granted(t *testing.T, site, name string, ports ...int) {
	t.Helper()
	a := i.access(t, site, api.NewAccess{Name: name, Ports: ports, Reason: "a test"})
	i.access(t, site, api.Verdict{}, a.ID, "grant")
	t.Cleanup(func() {
		_ = i.panel.Post(context.WithoutCancel(t.Context()), api.Item(api.PathSites, site, "egress", "access", a.ID, "revoke"), api.Verdict{}, "", nil)
	})
}

// standinAt is where the stand-in listens, as the gateway sees it.
func standinAt(t *testing.T) (address, port string) {
	t.Helper()
	address, port, err := net.SplitHostPort(needed(t, "CHATIERE_TEST_PERMIT"))
	if err != nil {
		t.Fatal(err)
	}
	return address, port
}

// A person in charge sees what the site was refused, asks for it from there, a volunteer grants: the site reaches it,
// and nothing was restarted.
func TestWhatAManagerAsksForAndAVolunteerGrantsIsReached(t *testing.T) {
	i := open(t)
	site := i.demoSite(t).ID
	standin(t)
	address, port := standinAt(t)
	name := "map-" + random() + ".chatiere.test"
	i.hosts(t).say(name, address)
	since := run(t, "docker", "inspect", "-f", "{{.State.StartedAt}}", i.container(site))
	if got, took := i.connects(t, site, name, port, name); got || took > atOnce {
		t.Fatalf("before anybody asked: reached %v after %s", got, took)
	}
	i.tried(t, site, func(try api.Try) bool { return try.Name == name && try.Decision == "refused" })

	b := i.browse(t)
	b.signIn(i.summary.Manager)
	b.open("/sites/" + site)
	b.do("going to what it tried", chromedp.Click(chromedp.CSS(`a[href$="/egress"]`)), chromedp.WaitVisible(chromedp.CSS(`#refused`)))
	b.examine("egress")
	b.do("asking for it", chromedp.Click(chromedp.CSS(`a[href*="ask?name=`+name+`"]`)), chromedp.WaitVisible(chromedp.CSS(`#reason`)))
	b.examine("egress-ask")
	b.do("saying why", chromedp.SetValue(chromedp.CSS(`#ports`), port), chromedp.SetValue(chromedp.CSS(`#reason`), "La carte des points de retrait"),
		chromedp.Click(chromedp.CSS(`form[action$="/egress/ask"] button[type=submit]`)), chromedp.WaitVisible(chromedp.CSS(`#open`)))
	if text := b.text("main"); !strings.Contains(text, name) || !strings.Contains(text, "La carte des points de retrait") {
		t.Errorf("the wish is not on the page:\n%s", text)
	}
	if got, _ := i.connects(t, site, name, port, name); got {
		t.Error("reached before a volunteer decided")
	}

	var asked api.List[api.Access]
	if err := i.panel.Get(t.Context(), api.PathAccess, &asked); err != nil {
		t.Fatal(explain(err))
	}
	id := ""
	for _, a := range asked.Items {
		if a.Name == name {
			id = a.ID
		}
	}
	i.access(t, site, api.Verdict{}, id, "grant")
	eventually(t, 10*time.Second, "what was granted is reached", func() (bool, string) {
		got, _ := i.connects(t, site, name, port, name)
		return got, "refused"
	})
	if now := run(t, "docker", "inspect", "-f", "{{.State.StartedAt}}", i.container(site)); now != since {
		t.Errorf("the site's container was restarted at %s", now)
	}
	i.access(t, site, api.Verdict{}, id, "revoke")
	eventually(t, 10*time.Second, "what was taken back is refused", func() (bool, string) {
		got, took := i.connects(t, site, name, port, name)
		return !got && took < atOnce, "reached"
	})
}

// What a list allows by name is held to addresses outside, to the server that was asked for, and to ports that the
// container was not made for.
func TestAGrantedNameOpensNothingInside(t *testing.T) {
	i := open(t)
	site := i.demoSite(t).ID
	standin(t)
	address, text := standinAt(t)
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	honest, inside, mixed := "honest-"+random()+".chatiere.test", "inside-"+random()+".chatiere.test", "mixed-"+random()+".chatiere.test"
	h := i.hosts(t)
	h.say(honest, address)
	h.say(inside, "169.254.169.254", "127.0.0.1", "::1", "fd00::1", "::ffff:10.0.0.1")
	h.say(mixed, "127.0.0.1", address)
	const later = 8453 // no template and no configuration has it
	for _, name := range []string{honest, inside, mixed} {
		i.granted(t, site, name, port, later)
	}
	eventually(t, 15*time.Second, "the honest name is reached", func() (bool, string) {
		got, _ := i.connects(t, site, honest, text, honest)
		return got, "refused"
	})
	if got, _ := i.connects(t, site, mixed, text, mixed); !got {
		t.Error("a name with a good address beside a bad one was not reached by the good one")
	}
	for _, c := range []struct{ name, port, as string }{
		{inside, text, inside}, {inside, strconv.Itoa(later), ""}, {honest, text, "evil.example"}, {honest, strconv.Itoa(later), ""},
	} {
		if got, took := i.connects(t, site, c.name, c.port, c.as); got || took > atOnce {
			t.Errorf("%s:%s as %q: reached %v after %s", c.name, c.port, c.as, got, took)
		}
	}
	for name, want := range map[string]api.Try{
		"inside":     {Name: inside, Port: port, Reason: "address not public"},
		"later port": {Name: inside, Port: later, Reason: "address not public"}, // siteinit listened: else the gateway had not been asked
		"other name": {Name: honest, Port: port, Reason: "TLS greeting for another server name"},
	} {
		got := i.tried(t, site, func(try api.Try) bool {
			return try.Name == want.Name && try.Port == want.Port && try.Decision == "refused"
		})
		if got.Reason != want.Reason {
			t.Errorf("%s: refused for %q, want %q", name, got.Reason, want.Reason)
		}
	}
	var e api.Egress
	if err := i.panel.Get(t.Context(), api.Item(api.PathSites, site, "egress"), &e); err != nil || len(e.Allowed) < 4 {
		t.Errorf("what the site may reach: %+v, %v", e.Allowed, err)
	}
}

// The gateway dies: pages go on, what sites try to reach fails at once, and it comes back by itself. What a name
// answers by then is checked anew.
func TestAGatewayThatDiesHarmsNobodyAndComesBack(t *testing.T) {
	i := open(t)
	site := i.demoSite(t)
	standin(t)
	address, text := standinAt(t)
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	steady, rebound := "steady-"+random()+".chatiere.test", "rebound-"+random()+".chatiere.test"
	h := i.hosts(t)
	h.say(steady, address)
	h.say(rebound, address)
	for _, name := range []string{steady, rebound} {
		i.granted(t, site.ID, name, port)
		eventually(t, 15*time.Second, name+" is reached", func() (bool, string) {
			got, _ := i.connects(t, site.ID, name, text, name)
			return got, "refused"
		})
	}
	// As the kernel would end it: an engine that is asked to kill does not start it again.
	pid := strings.TrimSpace(run(t, "docker", "inspect", "-f", "{{.State.Pid}}", i.container("gateway")))
	run(t, "kill", "-9", pid)
	for range 3 {
		if status, _ := i.page(t, at(site.URL)+"/"); status != 200 {
			t.Errorf("the site's page answers %d while the gateway is away", status)
		}
		if _, took := i.connects(t, site.ID, steady, text, steady); took > atOnce {
			t.Errorf("without the gateway a try took %s", took)
		}
	}
	eventually(t, time.Minute, "the gateway is back", func() (bool, string) {
		h.say(steady, address) // the engine has written the file anew
		h.say(rebound, "127.0.0.1")
		got, _ := i.connects(t, site.ID, steady, text, steady)
		return got, "not reached"
	})
	if got, took := i.connects(t, site.ID, rebound, text, rebound); got || took > atOnce {
		t.Errorf("a name that now answers loopback: reached %v after %s", got, took)
	}
}
