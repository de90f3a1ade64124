package backups_test

import (
	"testing"

	"chatiere/backups"
)

func TestAPasswordDependsOnKeyAndRepositoryAlone(t *testing.T) {
	const one, other = "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdeF"
	// A changed derivation would lock every repository that exists: this value, made by another program, must never change.
	const want = "e8ghj2LJLk_qxbIh_hI4YUHyfGLSQYwy7cdnzwkWZxI"
	if got, err := backups.Password(one, "association:a1"); err != nil || got != want {
		t.Errorf("the password is %q (%v), want %q", got, err, want)
	}
	seen := map[string]bool{}
	for _, key := range []string{one, other} {
		for _, name := range []string{"association:a1", "association:a2", "platform"} {
			p, err := backups.Password(key, name)
			if err != nil || seen[p] {
				t.Errorf("password of %s: %q, %v; want one of its own", name, p, err)
			}
			seen[p] = true
		}
	}
	for _, short := range []string{"", one[1:]} {
		if p, err := backups.Password(short, "platform"); err == nil {
			t.Errorf("the key %q gave the password %q", short, p)
		}
	}
}
