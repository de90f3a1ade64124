package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
)

var (
	// ErrSecretExposed is a secret that others than its owner may read.
	ErrSecretExposed = errors.New("secret readable by others")
	// ErrSecretEmpty is a secret with nothing in it.
	ErrSecretEmpty = errors.New("secret is empty")
)

// redacted is all that a secret ever prints.
const redacted = "[redacted]"

// Secret is a password or key in a file. It is read when it is asked for, so that a role needs to be able to read
// its own alone, and never prints its value.
type Secret struct {
	name string
	path string
}

// Reveal reads the value. It refuses a file that others than its owner may read.
func (s Secret) Reveal() (string, error) {
	info, err := os.Stat(s.path)
	if err != nil {
		return "", fmt.Errorf("reading secret %s: %w", s.name, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("reading secret %s: %s has mode %04o, expected 0600: %w", s.name, s.path, info.Mode().Perm(), ErrSecretExposed)
	}
	data, err := os.ReadFile(s.path)
	if err != nil {
		return "", fmt.Errorf("reading secret %s: %w", s.name, err)
	}
	value := strings.TrimRight(string(data), "\r\n")
	if value == "" {
		return "", fmt.Errorf("reading secret %s: %s: %w", s.name, s.path, ErrSecretEmpty)
	}
	return value, nil
}

// Name is what the secret is called.
func (s Secret) Name() string { return s.name }

// Path is the file it is read from.
func (s Secret) Path() string { return s.path }

// String hides the value.
func (s Secret) String() string { return redacted }

// GoString hides the value from %#v.
func (s Secret) GoString() string { return redacted }

// LogValue hides the value from logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON hides the value from documents.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }
