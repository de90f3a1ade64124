//go:build integration

package egress_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"chatiere/reverseproxy/egress"
	"chatiere/reverseproxy/egress/spool"
	"chatiere/reverseproxy/origin"
)

// container is a site's container, made as the worker makes them, with the real
// siteinit and a process that does nothing.
type container struct{ id string }

func startContainer(t *testing.T, h *house, authority string) *container {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "siteinit")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "chatiere/cmd/siteinit")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building siteinit: %v\n%s", err, out)
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := write("siteinit.json", `{"processes":[{"name":"idle","command":["sleep","infinity"]}]}`)
	names := write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n")
	hosts := write("hosts", "127.0.0.1 localhost\n::1 localhost\n")
	user := fmt.Sprintf("%d:%d", gidA, gidA)
	id := docker(t, "run", "--detach", "--network", "none", "--sysctl", "net.ipv4.ip_unprivileged_port_start=0",
		"--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", user,
		"--memory", "64m", "--pids-limit", "64",
		"--tmpfs", fmt.Sprintf("/tmp:uid=%d,gid=%d,mode=700", gidA, gidA),
		"--volume", binary+":/usr/local/bin/siteinit:ro", "--volume", config+":/etc/siteinit.json:ro",
		"--volume", names+":/etc/resolv.conf:ro", "--volume", hosts+":/etc/hosts:ro",
		"--volume", authority+":/etc/ca.pem:ro",
		"--volume", filepath.Join(h.options.RunDir, siteA, "gate")+":/run/chatiere/gate",
		"--env", "EGRESS_SOCKET=/run/chatiere/gate/egress.sock", "--env", "SMTP_SOCKET=/run/chatiere/gate/smtp.sock",
		"--env", "SITE_HOST="+hostA, "--env", "SITE_URL=https://"+hostA+":8443",
		"--entrypoint", "/usr/local/bin/siteinit", image())
	c := &container{id: strings.TrimSpace(id)}
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := exec.Command("docker", "logs", c.id).CombinedOutput()
			t.Logf("container's log:\n%s\ngateway's log:\n%s", out, h.logs)
		}
		_ = exec.Command("docker", "rm", "--force", c.id).Run()
	})
	h.await(t, "the container's resolver", func() bool {
		_, err := c.try("getent", "ahosts", hostA)
		return err == nil
	})
	return c
}

func image() string {
	if name := os.Getenv("CHATIERE_BASE_IMAGE"); name != "" {
		return name
	}
	return "chatiere/base:trixie"
}

func docker(t *testing.T, args ...string) string {
	t.Helper()
	var out, faults bytes.Buffer
	cmd := exec.Command("docker", args...)
	cmd.Stdout, cmd.Stderr = &out, &faults
	if err := cmd.Run(); err != nil {
		t.Fatalf("docker %s: %v\n%s", args[0], err, faults.String())
	}
	return out.String()
}

// try runs a command in the container.
func (c *container) try(command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "docker", append([]string{"exec", c.id}, command...)...).CombinedOutput()
	return string(out), err
}

// get is a command that fetches / over TLS, certificate and name checked, with
// a client that knows of no proxy.
func get(name string, port uint16) []string {
	return []string{"sh", "-c", fmt.Sprintf(`printf 'GET / HTTP/1.0\r\nHost: %[1]s\r\n\r\n' |
		openssl s_client -quiet -verify_quiet -verify_return_error -verify_hostname %[1]s -servername %[1]s \
		-CAfile /etc/ca.pem -connect %[1]s:%[2]d`, name, port)}
}

// dial is a command that opens a connection and reads from it.
func dial(host string, port int) []string {
	return []string{"bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/%s/%d && head -c1 <&3 | grep -q .", host, port)}
}

var took = regexp.MustCompile(`took (\d+) ms`)

// quick runs a command that must fail, and fail at once. The time is taken in
// the container: starting a command there takes its own time.
func (c *container) quick(t *testing.T, what string, command []string) {
	t.Helper()
	const timed = `start=$(date +%s%N); "$@"; code=$?; echo "took $((($(date +%s%N) - start) / 1000000)) ms"; exit $code`
	out, err := c.try(append([]string{"bash", "-c", timed, "timed"}, command...)...)
	if err == nil {
		t.Errorf("%s: succeeded with %q", what, out)
	}
	found := took.FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("%s: %v, no time in %q", what, err, out)
	}
	if ms, _ := strconv.Atoi(found[1]); ms > 1000 {
		t.Errorf("%s: took %d ms to fail", what, ms)
	}
	t.Logf("%s: failed after %s ms", what, found[1])
}

// announced is the proxy's door for sites: it takes the line of an origin from each connection.
type announced struct{ net.Listener }

func (l announced) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if _, err := origin.Read(conn); err != nil {
		return nil, err
	}
	return conn, nil
}

func TestASiteReachesAllowedNamesAndNothingElse(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ca := newAuthority(t)
	ca.server(t, listener, "stand-in.example", "hello from outside")
	port := listener.Addr().(*net.TCPAddr).AddrPort().Port()

	h := newHouse(t, func(o *egress.Options) {
		o.Resolver = newBook().say("stand-in.example", "127.0.0.1").
			say("inside.example", "127.0.0.1").say("metadata.example", "169.254.169.254")
		o.Permit, err = egress.ParsePermits([]string{"stand-in.example:" + strconv.Itoa(int(port))})
		if err != nil {
			t.Fatal(err)
		}
		edge, err := net.Listen("unix", o.EdgeSocket)
		if err != nil {
			t.Fatal(err)
		}
		ca.server(t, announced{edge}, hostA, "hello from myself")
	})
	ports := []int{int(port)}
	h.open(t, egress.AllowedName{Name: "stand-in.example", Ports: ports}, egress.AllowedName{Name: "inside.example", Ports: ports},
		egress.AllowedName{Name: "metadata.example", Ports: []int{80}})
	c := startContainer(t, h, ca.path)

	t.Run("allowed name, TLS intact", func(t *testing.T) {
		out, err := c.try(get("stand-in.example", port)...)
		if err != nil || !strings.Contains(out, "hello from outside") {
			t.Fatalf("%v\n%s", err, out)
		}
		h.entry(t, "stand-in.example", func(e spool.Entry) bool { return e.Decision == spool.Allowed && e.Bytes > 0 })
	})
	t.Run("own name leads to the proxy", func(t *testing.T) {
		for _, own := range []uint16{443, 8443} {
			if out, err := c.try(get(hostA, own)...); err != nil || !strings.Contains(out, "hello from myself") {
				t.Errorf("port %d: %v\n%s", own, err, out)
			}
		}
	})
	t.Run("refused names fail at once and are logged", func(t *testing.T) {
		for _, name := range []string{"refused.example", "inside.example"} {
			c.quick(t, name, get(name, port))
			h.entry(t, name, func(e spool.Entry) bool { return e.Decision == spool.Refused && e.Site == siteA })
			if !strings.Contains(h.logs.String(), "name="+name) {
				t.Errorf("no log line of %s", name)
			}
		}
		c.quick(t, "metadata by name", dial("metadata.example", 80))
		h.entry(t, "metadata.example", func(e spool.Entry) bool { return e.Reason == "address not public" })
	})
	t.Run("bare addresses fail at once", func(t *testing.T) {
		if out, err := c.try(dial("127.0.0.1", 25)...); err != nil {
			t.Fatalf("dialling what answers: %v %s", err, out)
		}
		for _, target := range []string{"1.1.1.1", "169.254.169.254", "172.17.0.1", "127.66.200.200", "127.0.0.1", "::1"} {
			c.quick(t, target, dial(target, 443))
		}
		c.quick(t, "a single label", dial("mariadb", 3306))
	})
	t.Run("loopback is the only interface", func(t *testing.T) {
		out, err := c.try("sh", "-c", "tail -n +3 /proc/net/dev | cut -d: -f1")
		if got := strings.Fields(out); err != nil || len(got) != 1 || got[0] != "lo" {
			t.Errorf("interfaces %q, %v", got, err)
		}
	})
	t.Run("mail port refuses politely at once", func(t *testing.T) {
		out, err := c.try("bash", "-c", `exec 3<>/dev/tcp/localhost/25; printf 'EHLO a\r\nMAIL FROM:<a@b.c>\r\nQUIT\r\n' >&3; cat <&3`)
		if err != nil || !strings.HasPrefix(out, "220 ") || !strings.Contains(out, "\n554 5.3.2 ") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("listed names have addresses of the range, others none", func(t *testing.T) {
		out, err := c.try("getent", "ahosts", "inside.example")
		at, _ := netip.ParseAddr(strings.Fields(out + " ?")[0])
		if err != nil || !netip.MustParsePrefix("127.66.0.0/16").Contains(at) {
			t.Errorf("%v %q", err, out)
		}
		c.quick(t, "a name not listed", []string{"getent", "ahosts", "refused.example"})
	})
	t.Run("a gateway that is away is told at once", func(t *testing.T) {
		h.stop()
		c.quick(t, "allowed name", get("stand-in.example", port))
		out, _ := c.try("bash", "-c", `timeout 5 cat </dev/tcp/127.0.0.1/25`)
		if !strings.HasPrefix(out, "421 ") {
			t.Errorf("mail port said %q", out)
		}
		h.start(t)
		h.await(t, "the way out of a new gateway", func() bool {
			_, err := c.try(get("stand-in.example", port)...)
			return err == nil
		})
	})
	t.Run("stops in good order", func(t *testing.T) {
		start := time.Now()
		docker(t, "stop", c.id)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		if code := strings.TrimSpace(docker(t, "inspect", "--format", "{{.State.ExitCode}}", c.id)); code != "0" {
			t.Errorf("ended with %s", code)
		}
	})
}
