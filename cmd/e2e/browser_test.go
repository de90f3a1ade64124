//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"

	"chatiere/cmd/internal/demo"
)

// tab is one person's browser: a profile of its own that trusts our authority, and nothing else is relaxed.
type tab struct {
	*testing.T
	*instance
	ctx context.Context
}

// patience bounds one action in the browser.
const patience = 30 * time.Second

func (i *instance) browse(t *testing.T) *tab {
	t.Helper()
	home := t.TempDir()
	store := filepath.Join(home, ".pki", "nssdb")
	if err := os.MkdirAll(store, 0o700); err != nil {
		t.Fatal(err)
	}
	run(t, "certutil", "-N", "-d", "sql:"+store, "--empty-password")
	run(t, "certutil", "-A", "-d", "sql:"+store, "-n", "chatiere", "-t", "C,,", "-i", i.config.Paths().CA())
	options := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	options = append(options,
		chromedp.ExecPath("/usr/bin/chromium"), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(filepath.Join(home, "profile")),
		chromedp.Env("HOME="+home, "LANG=fr_FR.UTF-8"), chromedp.Flag("lang", "fr-FR"), chromedp.Flag("accept-lang", "fr-FR"), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.ModifyCmdFunc(i.secluded(t)))
	allocated, free := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(free)
	ctx, end := chromedp.NewContext(allocated)
	t.Cleanup(end)
	if err := chromedp.Do(ctx); err != nil { // starts the browser; its life is not that of one action
		t.Fatalf("starting Chromium: %v", err)
	}
	return &tab{t, i, ctx}
}

// secluded gives a browser a network of its own, in which there is nothing but our proxy. On the machine's, Chromium breaks
// off whatever it is doing (ERR_NETWORK_CHANGED) each time a container comes or goes.
func (i *instance) secluded(t *testing.T) func(*exec.Cmd) {
	t.Helper()
	name := i.container("browser-" + random())
	edge := i.relay(t)
	run(t, "docker", "run", "-d", "--name", name, "--label", "chatiere.instance="+i.config.Instance, "--network", "none", "--no-healthcheck",
		"-v", filepath.Dir(edge)+":"+filepath.Dir(edge)+":ro", "--entrypoint", "siteinit", "chatiere/php:trixie",
		"forward", fmt.Sprintf("tcp:127.0.0.1:%d", i.config.PublicPort), "unix:"+edge)
	t.Cleanup(func() { _, _ = tryRun("docker", "rm", "-f", name) }) // what is left bears the instance's label
	pid := run(t, "docker", "inspect", "-f", "{{.State.Pid}}", name)
	return func(cmd *exec.Cmd) {
		cmd.Args = append([]string{"nsenter", "-t", pid, "-n", cmd.Path}, cmd.Args[1:]...)
		cmd.Path = "/usr/bin/nsenter"
	}
}

// relay listens on a socket and carries what comes to the proxy's public port, from an address that no other test has.
func (i *instance) relay(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(i.config.Root, "browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "edge.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(socket, 0o666)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go i.carry(conn)
		}
	}()
	return socket
}

// carry copies both ways between a browser and the proxy.
func (i *instance) carry(conn net.Conn) {
	defer conn.Close()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 77)}}
	upstream, err := dialer.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", i.config.PublicPort))
	if err != nil {
		return // the browser sees its connection end
	}
	defer upstream.Close()
	var wait sync.WaitGroup
	for _, way := range [][2]net.Conn{{upstream, conn}, {conn, upstream}} {
		wait.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_, _ = way[0].Close(), way[1].Close()
		})
	}
	wait.Wait()
}

// do runs actions within patience.
func (b *tab) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ask(b, what, chromedp.Steps(actions...))
}

// ask runs one action within patience and returns its value.
func ask[T any](b *tab, what string, action chromedp.Action[T]) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		b.capture("failure-" + what)
		where, _ := chromedp.Run(b.ctx, chromedp.Location())
		b.Fatalf("%s: %v (at %s)", what, err, where)
	}
	return value
}

// artifacts is where pictures go.
func artifacts(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("CHATIERE_TEST_ARTIFACTS")
	if dir == "" {
		dir = t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (b *tab) capture(name string) {
	b.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.Logf("no picture of %s: %v", name, err)
		return
	}
	path := filepath.Join(artifacts(b.T), strings.ReplaceAll(name, " ", "-")+".png")
	if err := os.WriteFile(path, png, 0o644); err != nil {
		b.Errorf("writing %s: %v", path, err)
	}
}

// looks are the widths and colours every page is looked at in.
var looks = []struct {
	name   string
	width  int64
	scheme string
}{{"1280-light", 1280, "light"}, {"1280-dark", 1280, "dark"}, {"360-light", 360, "light"}, {"360-dark", 360, "dark"}}

// loaded waits until a page stands still: while it loads, what was found in it may be gone again.
func (b *tab) loaded(name string) {
	b.Helper()
	eventually(b.T, patience, name+" is loaded", func() (bool, string) {
		state := ask(b, name, chromedp.Evaluate[string](`document.readyState`))
		return state == "complete", state
	})
}

// examine takes pictures of the page as it stands in every look, wants nothing to scroll sideways, and asks axe.
func (b *tab) examine(name string) {
	b.Helper()
	b.loaded(name)
	for _, l := range looks {
		b.do(name+" "+l.name, look(l.width, l.scheme))
		if ask(b, name, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > document.documentElement.clientWidth`)) {
			b.Errorf("%s scrolls sideways at %d px", name, l.width)
		}
		for _, fault := range b.axe() {
			b.Errorf("%s (%s): %s", name, l.name, fault)
		}
		b.capture(name + "-" + l.name)
	}
	b.do(name, look(1280, "light"))
}

// look gives the page a width and a colour scheme.
func look(width int64, scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		size := emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 800, DeviceScaleFactor: 1, Mobile: width < 500}
		if _, err := cdp.Call(ctx, t, emulation.SetDeviceMetricsOverride, size); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}

// axe runs axe-core in the page, past its content security policy, which allows no foreign script.
func (b *tab) axe() []string {
	b.Helper()
	source, err := os.ReadFile(needed(b.T, "CHATIERE_TEST_AXE"))
	if err != nil {
		b.Fatal(err)
	}
	ask(b, "axe", chromedp.Evaluate[int](string(source)+";0"))
	return ask(b, "axe", chromedp.Evaluate[[]string](`
		axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}).then(r =>
			r.violations.map(v => v.id + ": " + v.help + " — " + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)).join(" | ")))`,
		chromedp.EvalAwaitPromise))
}

// signIn goes through Keycloak as a person, with a one-time code when they have one and it is asked for.
func (b *tab) signIn(p demo.Person) {
	b.Helper()
	b.do("opening the panel", chromedp.Navigate(b.summary.PanelURL+"/"), chromedp.WaitVisible(chromedp.CSS(`a[href^="/auth/login"]`)))
	b.do("going to Keycloak", chromedp.Click(chromedp.CSS(`a[href^="/auth/login"]`)), chromedp.WaitVisible(chromedp.CSS(`#username`)))
	b.loaded("Keycloak's page")
	b.do("giving name and password", chromedp.SendKeys(chromedp.CSS(`#username`), p.Username), chromedp.SendKeys(chromedp.CSS(`#password`), p.Password),
		chromedp.Submit(chromedp.CSS(`#password`)))
	b.do("leaving the form", chromedp.WaitNotPresent(chromedp.CSS(`#password`)))
}

// prove gives the one-time code that a page of Keycloak waits for.
func (b *tab) prove(p demo.Person) {
	b.Helper()
	code, err := totp.GenerateCode(p.TOTPSecret, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	b.do("waiting for the code's form", chromedp.WaitVisible(chromedp.CSS(`#otp`)))
	b.loaded("the code's form")
	b.do("giving the one-time code", chromedp.SendKeys(chromedp.CSS(`#otp`), code), chromedp.Submit(chromedp.CSS(`#otp`)),
		chromedp.WaitNotPresent(chromedp.CSS(`#otp`)))
}

// open goes to a page of the panel and waits for its heading.
func (b *tab) open(path string) {
	b.Helper()
	b.do("opening "+path, chromedp.Navigate(b.summary.PanelURL+path), chromedp.WaitVisible(chromedp.CSS(`h1`)))
}

func (b *tab) text(selector string) string {
	b.Helper()
	return ask(b, "reading "+selector, chromedp.Text(chromedp.CSS(selector)))
}

// status returns the HTTP status that a path of the panel answers this person.
func (b *tab) status(path string) int {
	b.Helper()
	return ask(b, "asking for "+path, chromedp.Evaluate[int](`fetch("`+path+`").then(r => r.status)`, chromedp.EvalAwaitPromise))
}
