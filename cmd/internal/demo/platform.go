package demo

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/keycloak"
)

// RandomPassword has 128 bits and passes the realm's policy.
func RandomPassword() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// RandomTOTP makes the secret of a one-time code.
func RandomTOTP() string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])
}

// Realm makes the demo's people in Keycloak; it implements Directory.
type Realm struct{ Client *keycloak.Client }

// EnsurePerson implements Directory.
func (a Realm) EnsurePerson(ctx context.Context, p Account) error {
	wanted := keycloak.Account{
		Username: p.Username, Email: p.Email, FirstName: p.FirstName, LastName: p.LastName,
		Password: keycloak.Secret(p.Password), OTP: keycloak.Secret(p.TOTPSecret), Operation: credentialsMark(p),
	}
	user, err := a.Client.EnsureUser(ctx, wanted)
	if err == nil && user.Operation != wanted.Operation {
		// Nobody knows this account's password any more, and a one-time code can only be set on a new account.
		if err := a.Client.DeleteUser(ctx, p.Username); err != nil {
			return err
		}
		user, err = a.Client.EnsureUser(ctx, wanted)
	}
	if err != nil {
		return err
	}
	group, err := a.Client.EnsureGroupPath(ctx, p.Group, "demo")
	if err != nil {
		return err
	}
	return a.Client.AddMember(ctx, user.ID, group.ID)
}

// credentialsMark identifies the credentials an account was made with and reveals nothing of them: both are random.
func credentialsMark(p Account) string {
	sum := sha256.Sum256([]byte(p.Password + "\x00" + p.TOTPSecret))
	return "demo-" + hex.EncodeToString(sum[:8])
}

// appTimeout bounds the command that makes an application password.
const appTimeout = 30 * time.Second

// Containers runs commands inside the sites of an instance; it implements Applications.
type Containers struct {
	Engine   tenants.Engine
	Instance string
}

// ApplicationPassword implements Applications.
func (a Containers) ApplicationPassword(ctx context.Context, siteID, user, name string) (string, error) {
	found, err := a.Engine.List(ctx, map[string]string{tenants.LabelInstance: a.Instance, tenants.LabelSite: siteID})
	if err != nil {
		return "", err
	}
	running := slices.IndexFunc(found, tenants.ContainerSummary.Running)
	if running < 0 {
		return "", fmt.Errorf("no container of site %s runs: %w", siteID, tenants.ErrNotFound)
	}
	res, err := a.Engine.Exec(ctx, found[running].Name, tenants.Exec{
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
