package setup

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"chatiere/cmd/internal/config"
)

// images are the containers' images by default, and the variable that carries each.
var images = []struct{ name, variable, reference string }{
	{"chatiere", "PLATFORM_IMAGE", "chatiere/chatiere:latest"},
	{"mariadb", "PLATFORM_MARIADB_IMAGE", "chatiere/mariadb:latest"},
	{"keycloak", "PLATFORM_KEYCLOAK_IMAGE", "chatiere/keycloak:latest"},
}

// ErrImage is an image for a container that is none of ours.
var ErrImage = errors.New("no such container")

// compose writes the values that docker-compose.yml asks for. The prefix is not CHATIERE_, which would override the
// configuration if somebody let a shell read this file.
func (r *run) compose() error {
	references, err := r.references()
	if err != nil {
		return err
	}
	values, err := r.values()
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("# Written by chatiere setup from chatiere.yaml; changes here are lost.\n")
	for _, v := range append(references, values...) {
		fmt.Fprintf(&b, "%s='%s'\n", v.name, literal(v.value))
	}
	changed, err := entry{path: r.paths.ComposeEnv(), mode: 0o600}.write([]byte(b.String()))
	r.addChange(r.paths.ComposeEnv(), changed)
	return err
}

type variable struct{ name, value string }

// values follow from the configuration. The fingerprints are labels of the containers, so that one is made again when
// what it read at its start has changed, and not otherwise.
func (r *run) values() ([]variable, error) {
	c := r.config
	profiles, network, ca := "keycloak", "none", r.paths.CA()
	if c.Identity.External {
		profiles, network = "", "bridge"
	}
	if c.TLS.Mode != config.TLSLocalCA {
		ca = ""
	}
	out := []variable{
		{"COMPOSE_PROFILES", profiles},
		{"PLATFORM_INSTANCE", c.Instance},
		{"PLATFORM_ROOT", c.Root},
		{"PLATFORM_DOCKER_SOCKET", strings.TrimPrefix(c.Docker.Host, "unix://")},
		{"PLATFORM_PANEL_HOST", c.Panel.Host},
		{"PLATFORM_PANEL_URL", c.PanelURL()},
		{"PLATFORM_IDENTITY_URL", c.IdentityURL()},
		{"PLATFORM_IDENTITY_NETWORK", network},
		{"PLATFORM_PUBLIC_PORT", strconv.Itoa(c.PublicPort)},
		{"PLATFORM_CA_FILE", ca},
		{"PLATFORM_COOP_NAME", c.Coop.Name},
		{"PLATFORM_COOP_CONTACT", c.Coop.Contact},
	}
	for _, f := range []struct {
		name  string
		files []string
	}{
		{"PLATFORM_CONFIG", r.configFiles()},
		{"PLATFORM_MARIADB_CONFIG", r.secretFiles(mariaDB, "db_root", "init.sql")},
		{"PLATFORM_MARIADB_SITES_CONFIG", r.secretFiles(sitesMariaDB, "db_root", "init.sql")},
		{"PLATFORM_KEYCLOAK_CONFIG", r.secretFiles(keycloakName, "db_keycloak", "oidc_panel", "oidc_worker")},
	} {
		sum, err := fingerprint(f.files)
		if err != nil {
			return nil, err
		}
		out = append(out, variable{f.name, sum})
	}
	return out, nil
}

// configFiles is what our own roles read at their start. The authority is among them, since containers that mount a
// single file do not see it replaced.
func (r *run) configFiles() []string {
	files := []string{r.paths.Config(), r.paths.CA(), r.paths.MailCA()}
	for _, use := range r.config.SecretUses() {
		files = append(files, r.paths.Secret(use.Name))
	}
	return files
}

func (r *run) secretFiles(container string, names ...string) []string {
	var out []string
	for _, n := range names {
		out = append(out, r.paths.SecretsOf(container)+"/"+n)
	}
	return out
}

// fingerprint changes when a file does; one that is not there counts as empty.
func fingerprint(files []string) (string, error) {
	sum := sha256.New()
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		one := sha256.Sum256(data)
		sum.Write(one[:])
	}
	return hex.EncodeToString(sum.Sum(nil))[:12], nil
}

// references are the images asked for, else those of the last run, else the defaults.
func (r *run) references() ([]variable, error) {
	for name := range r.options.Images {
		if !slices.ContainsFunc(images, func(i struct{ name, variable, reference string }) bool { return i.name == name }) {
			return nil, fmt.Errorf("image for %q: %w", name, ErrImage)
		}
	}
	before, err := readVariables(r.paths.ComposeEnv())
	if err != nil {
		return nil, err
	}
	var out []variable
	for _, i := range images {
		out = append(out, variable{i.variable, cmp.Or(r.options.Images[i.name], cmp.Or(before[i.variable], i.reference))})
	}
	return out, nil
}

// readVariables reads back what compose wrote.
func readVariables(path string) (map[string]string, error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	out := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			out[name] = strings.Trim(value, "'")
		}
	}
	return out, nil
}

// literal makes a value that every reader of such files takes alike: they differ in how quotes and backslashes are
// written inside single quotes, so typographic ones stand in for them. Only names people chose can hold any.
func literal(s string) string {
	return strings.NewReplacer("'", "’", `"`, "”", `\`, "/", "\n", " ", "\r", " ").Replace(s)
}
