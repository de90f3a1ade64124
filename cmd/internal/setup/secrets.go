package setup

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"chatiere/cmd/internal/config"
)

// secretBytes is how much of a random source goes into each.
const secretBytes = 32

// secrets makes those that are missing. An existing one is kept, no matter who made it; what somebody else has to give
// (the secrets of an external realm's clients) is left to the admin, and config check asks for it.
func (r *run) secrets() error {
	for _, use := range r.config.SecretUses() {
		p := entry{path: r.paths.Secret(use.Name), mode: 0o600, uid: use.OwnerUID, gid: use.OwnerUID}
		value, err := os.ReadFile(p.path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		changed := false
		switch {
		case strings.TrimSpace(string(value)) != "":
			changed, err = p.correct()
		case use.Given:
			r.tools.Progress("left to you: " + p.path + ", " + secretHint(use.Name))
			continue
		default:
			changed, err = r.newSecret(p)
		}
		if err != nil {
			return err
		}
		r.addChange(p.path, changed)
	}
	return nil
}

// secretHint describes a secret that the admin has to provide.
func secretHint(name string) string {
	if name == config.SecretMail {
		return "the password of mail.user at the smarthost"
	}
	return "the secret of a client of your realm"
}

func (r *run) newSecret(p entry) (bool, error) {
	raw := make([]byte, secretBytes)
	if _, err := io.ReadFull(r.tools.Random, raw); err != nil {
		return false, fmt.Errorf("reading random bytes: %w", err)
	}
	return p.write([]byte(base64.RawURLEncoding.EncodeToString(raw) + "\n"))
}

// reveal reads a secret of this root.
func (r *run) reveal(name string) (string, error) { return r.config.Secret(name).Reveal() }

// copySecrets puts secrets where a container that is not ours reads them. Copies, because a file has one owner.
func (r *run) copySecrets(container string, uid int, names map[string]string) error {
	for as, name := range names {
		value, err := r.reveal(name)
		if err != nil {
			return err
		}
		p := entry{path: r.paths.SecretsOf(container) + "/" + as, mode: 0o600, uid: uid, gid: uid}
		changed, err := p.write([]byte(value + "\n"))
		if err != nil {
			return err
		}
		r.addChange(p.path, changed)
	}
	return nil
}

func (r *run) keycloak() error {
	if r.config.Identity.External {
		return nil
	}
	return r.copySecrets(keycloakName, config.KeycloakUID, map[string]string{
		"db_keycloak":  config.SecretDBKeycloak,
		"oidc_panel":   config.SecretOIDCPanel,
		"oidc_worker":  config.SecretOIDCWorker,
		"kc_bootstrap": config.SecretKCBootstrap,
	})
}
