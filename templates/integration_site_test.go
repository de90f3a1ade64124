//go:build integration

package templates_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatiere/templates"
)

// proxyGroup owns the directory of a site's HTTP socket.
const proxyGroup = 64010

// site is one container as the specification says, with its own database, uid and secrets.
type site struct {
	platform  *platform
	values    templates.Values
	spec      templates.Spec
	container string
	password  string
	client    *http.Client
}

// newSite makes everything of a site but its content.
func newSite(t *testing.T, title string) *site {
	t.Helper()
	p, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	p.mutex.Lock()
	p.sites++
	number := p.sites
	p.mutex.Unlock()

	id := "s" + word(5)[:9]
	host := fmt.Sprintf("site%d.chatiere.localhost", number)
	s := &site{platform: p, container: "chatiere-templates-" + id, password: word(12)}
	s.values = templates.Values{
		SiteID: id, UID: 200100 + number, Host: host, URL: "https://" + host + ":8443", Database: "site_" + id,
		Language: "C.UTF-8", TimeZone: "Europe/Paris", Paths: templates.PathsUnder(p.root, id),
		Images: map[string]string{"app": p.image},
		First:  templates.First{Title: title, Locale: "fr_FR", AdminUser: "gestion", AdminEmail: "contact@lilas.example"},
	}
	s.spec, err = templates.Resolve(wordpress(t), "", s.values)
	if err != nil {
		t.Fatal(err)
	}
	s.client = &http.Client{
		Timeout:       60 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(s.spec.Front().Upstream, "unix:"))
		}},
	}
	s.prepare(t)
	s.start(t)
	t.Cleanup(func() { _, _ = run(nil, "docker", "rm", "-f", s.container) })
	return s
}

// prepare makes what the worker makes before it creates the container.
func (s *site) prepare(t *testing.T) {
	t.Helper()
	uid, paths := s.values.UID, s.values.Paths
	secrets := map[string]string{"db_password": word(16), "secret_key": word(64), "admin_password": s.password}
	place := func(path string, mode os.FileMode, owner, group int) {
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, owner, group); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	place(paths.Data, 0o750, uid, uid)
	place(paths.HTTP, 0o750|os.ModeSetgid, uid, proxyGroup)
	place(paths.Gate, 0o750|os.ModeSetgid, 64030, uid)
	place(paths.Database, 0o750|os.ModeSetgid, 64040, uid)
	place(paths.Secrets, 0o500, uid, uid)
	for name, content := range secrets {
		file := filepath.Join(paths.Secrets, name)
		if err := os.WriteFile(file, []byte(content), 0o400); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(file, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	name, engine := s.values.Database, s.spec.Database
	s.platform.sql(t, fmt.Sprintf("CREATE DATABASE %[1]s CHARACTER SET %[2]s COLLATE %[3]s; CREATE USER %[1]s@localhost IDENTIFIED BY '%[4]s'; GRANT ALL ON %[1]s.* TO %[1]s@localhost;",
		name, engine.Charset, engine.Collation, secrets["db_password"]))
}

// options are those of docker run that the specification decides.
func (s *site) options() []string {
	front := s.spec.Front()
	options := []string{
		"--network", front.Network, "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", front.User,
		"--memory", fmt.Sprint(int64(front.Limits.Memory)), "--pids-limit", fmt.Sprint(front.Limits.Pids), "--cpus", fmt.Sprint(front.Limits.CPUs),
	}
	for name, value := range front.Sysctls {
		options = append(options, "--sysctl", name+"="+value)
	}
	for _, tmpfs := range front.Tmpfs {
		options = append(options, "--tmpfs", tmpfs.Target+":"+tmpfs.Options)
	}
	for _, mount := range front.Mounts {
		volume := mount.Source + ":" + mount.Target
		if mount.ReadOnly {
			volume += ":ro"
		}
		options = append(options, "--volume", volume)
	}
	for _, entry := range front.Environment {
		options = append(options, "--env", entry)
	}
	return options
}

func (s *site) start(t *testing.T) {
	t.Helper()
	arguments := append([]string{"run", "--detach", "--name", s.container}, s.options()...)
	if _, err := run(nil, "docker", append(arguments, s.spec.Front().Image)...); err != nil {
		t.Fatal(err)
	}
	s.awaitServer(t)
}

func (s *site) awaitServer(t *testing.T) {
	t.Helper()
	err := await(20*time.Second, func() error {
		response, _, err := s.request(http.MethodGet, "/__health", nil, nil)
		if err == nil && response.StatusCode != http.StatusOK {
			err = fmt.Errorf("health answers %s", response.Status)
		}
		return err
	})
	if err != nil {
		t.Fatalf("the site does not come up: %v\n%s", err, s.logs())
	}
}

func (s *site) logs() string {
	out, _ := exec.Command("docker", "logs", "--tail", "30", s.container).CombinedOutput()
	return string(out)
}

// hook runs a hook in the running container.
func (s *site) hook(name string, extra ...string) (string, error) {
	return run(nil, "docker", s.hookCommand(name, extra...)...)
}

func (s *site) hookCommand(name string, extra ...string) []string {
	hook, _ := s.spec.Hook(name)
	arguments := []string{"exec"}
	for _, entry := range hook.Environment {
		arguments = append(arguments, "--env", entry)
	}
	arguments = append(append(arguments, s.container), hook.Command...)
	return append(arguments, extra...)
}

func (s *site) mustHook(t *testing.T, name string, extra ...string) string {
	t.Helper()
	out, err := s.hook(name, extra...)
	if err != nil {
		t.Fatalf("hook %s: %v", name, err)
	}
	return strings.TrimSpace(out)
}

// request asks the site as our proxy would.
func (s *site) request(method, path string, body io.Reader, header http.Header) (*http.Response, string, error) {
	request, err := http.NewRequest(method, "http://site"+path, body)
	if err != nil {
		return nil, "", err
	}
	request.Host = s.values.Host + ":8443"
	request.Header.Set("X-Forwarded-Proto", "https")
	request.Header.Set("X-Real-IP", "203.0.113.7")
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, "", err
	}
	content, err := io.ReadAll(response.Body)
	response.Body.Close()
	return response, string(content), err
}

func (s *site) get(t *testing.T, path string, header http.Header) (*http.Response, string) {
	t.Helper()
	response, body, err := s.request(http.MethodGet, path, nil, header)
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	return response, body
}
