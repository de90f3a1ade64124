package wire

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"chatiere/cmd/internal/apiclient"
	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/demo"
	"chatiere/tenants"
	"chatiere/tenants/docker"
	"chatiere/tenants/keycloak"
)

// Demo fills the instance of a configuration and writes the summary to file. It runs as root on the server itself.
func Demo(ctx context.Context, c config.Config, file string, say func(string)) (demo.Summary, error) {
	directory, err := keycloakClient(c)
	if err != nil {
		return demo.Summary{}, err
	}
	engine, err := docker.New(docker.Options{Host: c.Docker.Host, Instance: c.Instance, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		return demo.Summary{}, err
	}
	defer func() { _ = engine.Close() }()
	ca, err := filepath.Abs(c.Paths().CA())
	if err != nil {
		return demo.Summary{}, err
	}
	d := demo.Demo{
		Panel: apiclient.OverSocket(c.Paths().CLISocket()), Directory: keycloakAccounts{directory}, Applications: siteCommands{engine, c.Instance},
		Domain: c.Domain, File: file, Secret: randomPassword, TOTP: randomTOTP, Say: say,
	}
	return d.Run(ctx, demo.Summary{PanelURL: c.PanelURL(), KeycloakURL: c.IdentityURL(), CACert: ca})
}

// randomPassword has 128 bits and passes the realm's policy.
func randomPassword() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func randomTOTP() string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])
}

// keycloakAccounts makes the demo's people in Keycloak.
type keycloakAccounts struct{ client *keycloak.Client }

func (a keycloakAccounts) EnsurePerson(ctx context.Context, p demo.Account) error {
	wanted := keycloak.Account{
		Username: p.Username, Email: p.Email, FirstName: p.FirstName, LastName: p.LastName,
		Password: keycloak.Secret(p.Password), OTP: keycloak.Secret(p.TOTPSecret), Operation: credentialsMark(p),
	}
	user, err := a.client.EnsureUser(ctx, wanted)
	if err == nil && user.Operation != wanted.Operation {
		// Nobody knows this account's password any more, and a one-time code can only be set on a new account.
		if err := a.client.DeleteUser(ctx, p.Username); err != nil {
			return err
		}
		user, err = a.client.EnsureUser(ctx, wanted)
	}
	if err != nil {
		return err
	}
	group, err := a.client.EnsureGroupPath(ctx, p.Group, "demo")
	if err != nil {
		return err
	}
	return a.client.AddMember(ctx, user.ID, group.ID)
}

// credentialsMark tells accounts apart by what they were made with, and gives nothing of it away: both are random.
func credentialsMark(p demo.Account) string {
	sum := sha256.Sum256([]byte(p.Password + "\x00" + p.TOTPSecret))
	return "demo-" + hex.EncodeToString(sum[:8])
}

// appTimeout bounds the command that makes an application password.
const appTimeout = 30 * time.Second

// siteCommands runs commands inside sites.
type siteCommands struct {
	engine   tenants.Engine
	instance string
}

func (a siteCommands) ApplicationPassword(ctx context.Context, siteID, user, name string) (string, error) {
	found, err := a.engine.List(ctx, map[string]string{tenants.LabelInstance: a.instance, tenants.LabelSite: siteID})
	if err != nil {
		return "", err
	}
	running := slices.IndexFunc(found, tenants.ContainerSummary.Running)
	if running < 0 {
		return "", fmt.Errorf("no container of site %s runs: %w", siteID, tenants.ErrNotFound)
	}
	res, err := a.engine.Exec(ctx, found[running].Name, tenants.Exec{
		Command: []string{"php", "/opt/chatiere/hooks/application-password.php", user, name}, Timeout: appTimeout,
	})
	if err != nil {
		return "", err
	}
	if res.ExitCode != 0 {
		return "", fmt.Errorf("the hook ended with %d: %s", res.ExitCode, res.Stderr)
	}
	return res.Output, nil
}
