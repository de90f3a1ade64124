//go:build integration

package templates_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"chatiere/templates"
)

// platform is what the sites of these tests share: a database and an image.
type platform struct {
	root     string
	database string
	image    string
	sites    int
	mutex    sync.Mutex
}

// shared is made once: building and starting it takes longer than any test.
var shared = sync.OnceValues(newPlatform)

func TestMain(m *testing.M) {
	code := m.Run()
	if p, err := shared(); err == nil {
		p.remove()
	}
	os.Exit(code)
}

func newPlatform() (*platform, error) {
	root, err := os.MkdirTemp("", "chatiere-templates-")
	if err != nil {
		return nil, err
	}
	p := &platform{root: root, database: "chatiere-templates-" + word(4)}
	if err := p.build(); err != nil {
		return nil, err
	}
	return p, p.startDatabase()
}

func (p *platform) remove() {
	_, _ = run(nil, "docker", "rm", "-f", "-v", p.database)
	_ = os.RemoveAll(p.root)
}

func (p *platform) build() error {
	catalogue, err := templates.Load(templates.Embedded())
	if err != nil {
		return err
	}
	template, err := catalogue.Template("wordpress")
	if err != nil {
		return err
	}
	base := setting("CHATIERE_TEST_PHP_IMAGE", "chatiere/php:trixie")
	id, err := run(nil, "docker", "image", "inspect", "--format", "{{.Id}}", base)
	if err != nil {
		return fmt.Errorf("the base image %s must be built first: %w", base, err)
	}
	images, err := templates.Images(template, "", map[string]string{"php": strings.TrimSpace(id)})
	if err != nil {
		return err
	}
	arguments := []string{"build", "--quiet", "--tag", images[0].Tag, "--file", images[0].Dockerfile}
	for name, value := range images[0].Arguments {
		arguments = append(arguments, "--build-arg", name+"="+value)
	}
	if _, err := run(images[0].Context, "docker", append(arguments, "-")...); err != nil {
		return err
	}
	id, err = run(nil, "docker", "image", "inspect", "--format", "{{.Id}}", images[0].Tag)
	p.image = strings.TrimSpace(id)
	return err
}

func (p *platform) startDatabase() error {
	for place, owner := range map[string]int{"mariadb": 64040, "run/mariadb-sites": 64040, "db": 64040, "sites": 0} {
		directory := filepath.Join(p.root, place)
		if err := os.MkdirAll(directory, 0o755); err != nil {
			return err
		}
		if err := os.Chown(directory, owner, owner); err != nil {
			return err
		}
	}
	files := map[string]string{"db/db_root": word(16), "sites/resolv.conf": templates.ResolvConf, "sites/hosts": templates.HostsFile}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(p.root, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	if err := os.Chmod(p.root, 0o755); err != nil {
		return err
	}
	_, err := run(nil, "docker", "run", "--detach", "--name", p.database, "--network", "none", "--env", "MARIADB_PROFILE=sites",
		"--volume", p.root+"/mariadb:/var/lib/mysql", "--volume", p.root+"/run/mariadb-sites:/run/mysqld",
		"--volume", p.root+"/db:/run/secrets:ro", setting("CHATIERE_TEST_MARIADB_IMAGE", "chatiere/mariadb:latest"))
	if err != nil {
		return err
	}
	return await(90*time.Second, func() error {
		_, err := run(nil, "docker", "exec", p.database, "/usr/local/bin/healthcheck")
		return err
	})
}

func (p *platform) sql(t *testing.T, statement string) string {
	t.Helper()
	out, err := run([]byte(statement), "docker", "exec", "--interactive", p.database,
		"mariadb", "--defaults-file=/tmp/chatiere/client.cnf", "--batch", "--skip-column-names")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func run(input []byte, name string, arguments ...string) (string, error) {
	command := exec.Command(name, arguments...)
	command.Stdin = bytes.NewReader(input)
	var failure bytes.Buffer
	command.Stderr = &failure
	out, err := command.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w: %s%s", name, arguments[0], err, out, failure.String())
	}
	return string(out), nil
}

func await(limit time.Duration, condition func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := condition()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// word is random, so that nothing can have been there before.
func word(bytes int) string {
	random := make([]byte, bytes)
	_, _ = rand.Read(random)
	return hex.EncodeToString(random)
}

func setting(name, usual string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return usual
}
