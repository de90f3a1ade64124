package main_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var binary string

// TestMain builds the program once: what is tested here are real processes.
func TestMain(m *testing.M) {
	if socket := os.Getenv(fakeServer); socket != "" {
		serveAndDie(socket)
	}
	dir, err := os.MkdirTemp("", "si")
	if err == nil {
		binary = filepath.Join(dir, "siteinit")
		build := exec.Command("go", "build", "-o", binary, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		build.Stderr = os.Stderr
		err = build.Run()
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "building siteinit:", err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

const idle = `{"name":"idle","command":["sh","-c","trap 'echo asked to quit; exit 0' QUIT; echo running; while kill -0 $PPID; do sleep 0.01; done"],"stop_signal":"QUIT"}`

func TestASiteFindsNamesAndItsMailPort(t *testing.T) {
	b := newBox(t, `{"processes":[`+idle+`]}`)
	b.gateway(t)
	b.start(t, b.flags()...)
	b.says(t, "running")
	at, err := b.lookup("api.wordpress.org")
	if err != nil || len(at) != 1 || !strings.HasPrefix(at[0].String(), "127.66.") {
		t.Fatalf("%v, %v", at, err)
	}
	for name, lasting := range map[string]bool{"refused.example": true, "many.busy": false} {
		var fault *net.DNSError
		if _, err := b.lookup(name); !errors.As(err, &fault) || fault.IsNotFound != lasting {
			t.Errorf("%s: %v", name, err)
		}
	}
	for host, name := range map[string]string{at[0].String(): "api.wordpress.org", "127.0.0.1": "asso.chatiere.localhost"} {
		if got := readAll(t, net.JoinHostPort(host, b.port)); got != "you asked for "+name+":"+b.port {
			t.Errorf("%s: %q", host, got)
		}
	}
	// The list got this port after the container was made.
	if got := readAll(t, net.JoinHostPort(at[0].String(), b.later)); got != "you asked for api.wordpress.org:"+b.later {
		t.Errorf("port that came later: %q", got)
	}
	if got := readAll(t, b.mail); !strings.HasPrefix(got, "421 ") {
		t.Errorf("mail port: %q", got)
	}
	b.stop(t, syscall.SIGTERM, 0)
	b.says(t, "asked to quit")
}

// gateway is a stand-in that knows the names below "org".
func (b *box) gateway(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("unix", b.path("egress.sock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			request, err := http.ReadRequest(bufio.NewReader(conn))
			switch {
			case err != nil:
			case request.Method == http.MethodConnect:
				_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n\r\nyou asked for %s", request.Host)
			case strings.HasSuffix(request.URL.Path, ".org"):
				_, _ = fmt.Fprintf(conn, "HTTP/1.1 204 No Content\r\nPorts: %s,%s\r\n\r\n", b.later, strings.TrimPrefix(b.mail, "127.0.0.1:"))
			case strings.HasSuffix(request.URL.Path, ".busy"):
				_, _ = fmt.Fprint(conn, "HTTP/1.1 429 Too Many Requests\r\n\r\n")
			default:
				_, _ = fmt.Fprint(conn, "HTTP/1.1 403 Forbidden\r\n\r\n")
			}
			_ = conn.Close()
		}
	}()
}

func readAll(t *testing.T, address string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("%s: %v", address, err)
	}
	return string(got)
}

func (b *box) stop(t *testing.T, signal os.Signal, want int) {
	t.Helper()
	if err := b.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	b.ends(t, want)
}

func (b *box) ends(t *testing.T, want int) {
	t.Helper()
	_ = b.cmd.Wait()
	if code := b.cmd.ProcessState.ExitCode(); code != want {
		t.Errorf("ended with %d, want %d; output:\n%s", code, want, b.log)
	}
}

func TestAProcessThatEndsEndsTheContainerWithItsCode(t *testing.T) {
	b := newBox(t, `{"processes":[`+idle+`,{"name":"web","command":["sh","-c","until grep -q running DIR/log; do sleep 0.01; done; exit 42"]}],"grace_seconds":5}`)
	log, err := os.Create(b.path("log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	b.cmd = exec.Command(binary, b.flags()...)
	b.cmd.Stdout, b.cmd.Stderr = log, log
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b.ends(t, 42)
	if text, _ := os.ReadFile(b.path("log")); !strings.Contains(string(text), "asked to quit") {
		t.Errorf("%s", text)
	}
}

func TestTheWebServerStartsOnceItsApplicationListens(t *testing.T) {
	b := newBox(t, `{"processes":[
		{"name":"php","command":["sh","-c","echo preparing; until test -e DIR/go; do sleep 0.01; done; SITEINIT_FAKE_SERVER=DIR/php.sock exec `+os.Args[0]+`"]},
		{"name":"web","command":["sh","-c","test -S DIR/php.sock && echo with php; exit 9"],"after":["DIR/php.sock"]}],
		"stale_sockets":["DIR/php.sock"]}`)
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: b.path("php.sock")})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	_ = stale.Close()
	b.start(t, b.flags()...)
	b.says(t, "preparing")
	if _, err := os.Lstat(b.path("php.sock")); err == nil {
		t.Error("what a predecessor left is taken for PHP")
	}
	if err := os.WriteFile(b.path("go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.ends(t, 9)
	b.says(t, "with php")
}

func TestStaleSocketsGoBeforeTheProcessesStart(t *testing.T) {
	b := newBox(t, `{"processes":[{"name":"look","command":["sh","-c","test ! -e DIR/http.sock && test -e DIR/file"]}],
		"stale_sockets":["DIR/http.sock","DIR/file","DIR/none"]}`)
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: b.path("http.sock")})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	_ = stale.Close()
	if err := os.WriteFile(b.path("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.start(t, b.flags()...)
	b.ends(t, 0)
}

func TestPortsThatCannotBeHadDoNotStopTheSite(t *testing.T) {
	b := newBox(t, `{"processes":[`+idle+`]}`)
	for _, path := range []string{filepath.Dir(binary), b.dir} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(b.path("config"), 0o644); err != nil {
		t.Fatal(err)
	}
	// A network of its own, where low ports are root's as they are by default.
	b.cmd = exec.Command("unshare", "--net", "setpriv", "--reuid", "200123", "--regid", "200123",
		"--clear-groups", binary, "-config", b.path("config"))
	b.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "EGRESS_SOCKET=/nowhere", "SMTP_SOCKET=/nowhere"}
	b.cmd.Stdout, b.cmd.Stderr = b.log, b.log
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.cmd.Process.Kill() })
	b.says(t, "running")
	for _, address := range []string{"udp 127.0.0.1:53", "tcp 127.0.0.1:53", "127.0.0.1:25", "0.0.0.0:443"} {
		b.says(t, address)
	}
	b.says(t, "net.ipv4.ip_unprivileged_port_start=0")
	b.stop(t, syscall.SIGTERM, 0)
}

func TestFaultyConfigurationsAreSaid(t *testing.T) {
	for config, want := range map[string]string{
		`{`:                "unexpected EOF",
		`{"processes":[]}`: "no processes",
		`{"proceses":[]}`:  "unknown field",
		`{"processes":[{"name":"a","command":[]}]}`:                            "needs a name and a command",
		`{"processes":[{"name":"a","command":["true"],"stop_signal":"HALT"}]}`: "unknown signal",
	} {
		b := newBox(t, config)
		b.start(t, b.flags()...)
		b.ends(t, 2)
		if !strings.Contains(b.log.String(), want) {
			t.Errorf("%s: %s", config, b.log)
		}
	}
}

func TestRunGivesOneCommandTheNames(t *testing.T) {
	b := newBox(t, "")
	b.gateway(t)
	b.start(t, "run", "-dns", b.dns, "-mail", b.mail, "--", "sh", "-c", "echo out; until test -e "+b.path("go")+"; do sleep 0.01; done; exit 9")
	b.says(t, "out")
	if at, err := b.lookup("a.org"); err != nil || len(at) != 1 {
		t.Errorf("%v, %v", at, err)
	}
	if err := os.WriteFile(b.path("go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.ends(t, 9)
}

func TestForwardAloneAndBesideACommand(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "behind")
	})}
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	b := newBox(t, "")
	socket := b.path("x.sock")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	works := func() bool {
		response, err := client.Get("http://x/")
		if err != nil {
			return false
		}
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		return err == nil && string(text) == "behind"
	}
	b.start(t, "forward", "unix:"+socket, "tcp:"+listener.Addr().String())
	b.await(t, "the forwarder", works)
	if err := b.cmd.Process.Kill(); err != nil { // leaves its socket
		t.Fatal(err)
	}
	_ = b.cmd.Wait()
	b.start(t, "forward", "unix:"+socket, "tcp:"+listener.Addr().String(),
		"--", "sh", "-c", "trap 'echo command stopped; exit 5' TERM; echo beside; while kill -0 $PPID; do sleep 0.01; done")
	b.says(t, "beside")
	b.await(t, "the forwarder beside a command", works)
	b.stop(t, syscall.SIGTERM, 0)
	b.says(t, "command stopped")
}

func TestWrongUseIsExplained(t *testing.T) {
	for _, args := range [][]string{{"dance"}, {"forward", "unix:/x"}, {"forward", "x", "y"}, {"forward", "unix:/x", "y"},
		{"forward", "unix:/x", "tcp:a:1", "--"}, {"forward", "-each", "1", "-deaths", "/x", "unix:/x", "unix:/y"}, {"run"}, {"-nope"}, {"health"}} {
		b := newBox(t, "")
		b.start(t, args...)
		b.ends(t, 2)
	}
}
