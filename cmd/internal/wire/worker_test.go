package wire_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"chatiere/cmd/internal/wire"
	"chatiere/panel/api"
	"chatiere/tenants/keycloak/directory"
	"chatiere/tenants/worker"
)

// guest is a worker on somebody else's realm, which gave it no account.
func guest(t *testing.T) *worker.Worker {
	t.Helper()
	c := configure(t, "identity: {external: true, issuer: \"https://id.elsewhere.example/realms/many\", client_id: panel}\n")
	if err := os.MkdirAll(filepath.Join(c.Root, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, use := range c.SecretUses() {
		if err := os.WriteFile(c.Secret(use.Name).Path(), []byte("0123456789abcdef0123456789abcdef0123456789w\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w, err := wire.NewWorker(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("the worker does not start: %v", err)
	}
	return w
}

func TestAWorkerWithoutAnAccountOnTheRealmStartsAndLeavesItAlone(t *testing.T) {
	w := guest(t)
	if w.Realm != nil {
		t.Error("it updates the realm and copies its members")
	}
	if w.Sites.Reconciler.Inventory.Groups != nil {
		t.Error("the reconciler looks for groups")
	}
	if _, none := w.Sites.Plans.Groups.(directory.None); !none {
		t.Errorf("associations are made by %T", w.Sites.Plans.Groups)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	examined, err := w.Control.Examine(ctx)
	if err != nil {
		t.Fatal(err)
	}
	found := examined.(api.Diagnosis)
	if i := slices.IndexFunc(found.Checks, func(c api.Check) bool { return c.Name == "keycloak" }); i < 0 || found.Checks[i].State != api.CheckAmber {
		t.Errorf("the doctor says %+v, want amber for keycloak", found.Checks)
	}
}
