package wire

import (
	"context"
	"errors"
	"fmt"

	"chatiere/cmd/internal/config"
	"chatiere/panel/assertion"
	"chatiere/tenants"
)

// entryIssuer signs assertions for entries. Only the panel signs; the worker derives the public key for sites from it.
func entryIssuer(c config.Config) (*assertion.Issuer, error) {
	secret, err := c.Secret(config.SecretEntryKey).Reveal()
	if err != nil {
		return nil, err
	}
	return assertion.New(c.PanelURL(), secret, c.Now)
}

// formerIdentities returns people's identities in a former realm, by their subject in this one.
func formerIdentities(c config.Config) map[string][]assertion.Identity {
	out := map[string][]assertion.Identity{}
	for _, entry := range c.Identity.Former {
		if issuer, subject, now, ok := config.FormerIdentity(entry); ok {
			out[now] = append(out[now], assertion.Identity{Issuer: issuer, Subject: subject})
		}
	}
	return out
}

func entryKey(c config.Config) ([]byte, error) {
	issuer, err := entryIssuer(c)
	if err != nil {
		return nil, err
	}
	return issuer.Public()
}

// distributeEntryKey writes the panel's public key to the sites that were made before there was one, or before it was
// replaced. A failure for a site is only logged: people cannot enter that site from the panel.
func (w *Worker) distributeEntryKey(ctx context.Context) error {
	sites, err := w.store.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("giving sites the panel's key: %w", err)
	}
	for _, s := range sites {
		if s.State == tenants.StateCreating {
			continue // its own operation does it
		}
		if err := w.disk.EnsureEntry(ctx, s); err != nil && !errors.Is(err, context.Canceled) {
			w.log.Error("a site was not given the panel's key", "site", s.ID, "error", err)
		}
	}
	return ctx.Err()
}
