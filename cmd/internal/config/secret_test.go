package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chatiere/cmd/internal/config"
)

// withSecret returns a configuration whose root holds one secret.
func withSecret(t *testing.T, name, content string, mode os.FileMode) config.Config {
	t.Helper()
	root := t.TempDir()
	c := config.Config{Root: root}
	if err := os.MkdirAll(c.Paths().Secrets(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.Paths().Secret(name), []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSecretIsRevealedWithoutItsNewline(t *testing.T) {
	c := withSecret(t, config.SecretDBPanel, "s3cret\n", 0o600)
	if got, err := c.Secret(config.SecretDBPanel).Reveal(); err != nil || got != "s3cret" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestSecretThatOthersMayReadIsRefused(t *testing.T) {
	c := withSecret(t, config.SecretDBPanel, "s3cret\n", 0o640)
	if _, err := c.Secret(config.SecretDBPanel).Reveal(); !errors.Is(err, config.ErrSecretExposed) {
		t.Errorf("got %v", err)
	}
}

func TestEmptyAndMissingSecretsAreRefused(t *testing.T) {
	c := withSecret(t, config.SecretDBPanel, "\n", 0o600)
	if _, err := c.Secret(config.SecretDBPanel).Reveal(); !errors.Is(err, config.ErrSecretEmpty) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Secret(config.SecretDBWorker).Reveal(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestSecretNeverPrintsItself(t *testing.T) {
	c := withSecret(t, config.SecretDBPanel, "s3cret\n", 0o600)
	s := c.Secret(config.SecretDBPanel)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s)
	document, err := json.Marshal(map[string]any{"secret": s})
	if err != nil {
		t.Fatal(err)
	}
	printed := log.String() + string(document) + fmt.Sprintf("%v %+v %#v %s", s, s, s, s)
	if strings.Contains(printed, "s3cret") || strings.Count(printed, "[redacted]") != 6 {
		t.Errorf("printed %s", printed)
	}
}

func TestCheckFilesNamesMissingSecrets(t *testing.T) {
	c := parse(t, minimal+"tls: {mode: files, files: {cert: /nowhere/c.pem, key: /nowhere/k.pem}}\nroot: "+
		filepath.Join(t.TempDir(), "root")+"\n")
	faults := c.CheckFiles()
	if want := len(c.SecretUses()) + 2; len(faults) != want {
		t.Errorf("%d faults, want %d:\n%s", len(faults), want, faults.Report())
	}
}
