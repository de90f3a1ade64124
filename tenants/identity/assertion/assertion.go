// Package assertion says who somebody is in words that a site believes: a short-lived JSON Web Token, signed with
// Ed25519. A site holds the public key alone, so it can neither speak for a person nor for another site.
//
// The package knows no HTTP and no site's files. Start reading at Issuer.
package assertion

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Life is how long an assertion is good for.
const Life = 60 * time.Second

// entryType keeps an assertion made for entering from being taken for anything else signed with the same key (RFC 8725,
// section 3.11).
const entryType = "chatiere-entry+jwt"

var (
	// ErrKey is a secret that is no key.
	ErrKey = errors.New("the key for entering sites is not 32 bytes in base64url")
	// ErrIncomplete is an assertion that would leave open who enters what.
	ErrIncomplete = errors.New("incomplete assertion")
)

// Role is what an application lets somebody do, in WordPress's words, which other applications map to theirs.
type Role string

// Administrator may do everything inside a site.
const Administrator Role = "administrator"

// Entry is one person about to enter one site.
type Entry struct {
	SiteID  string
	Host    string
	Issuer  string // the identity provider that names the person
	Subject string // the person's id there, which never changes
	Former  []Identity
	Name    string
	Email   string // verified, or ""
	Role    Role
}

// Identity is who somebody is at an identity provider. Subjects alone are not unique: another provider may give the same.
type Identity struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
}

// Issuer signs. It is safe for concurrent use.
type Issuer struct {
	name   string
	signer jose.Signer
	public ed25519.PublicKey
	now    func() time.Time
}

// New returns the issuer whose secret is a seed of 32 bytes in base64url. name is the panel's public address.
func New(name, secret string, now func() time.Time) (*Issuer, error) {
	seed, err := base64.RawURLEncoding.DecodeString(secret)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, ErrKey
	}
	private := ed25519.NewKeyFromSeed(seed)
	public := private.Public().(ed25519.PublicKey)
	options := (&jose.SignerOptions{}).WithType(entryType).WithHeader("kid", keyID(public))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: private}, options)
	if err != nil {
		return nil, fmt.Errorf("making the signer: %w", err)
	}
	return &Issuer{name: name, signer: signer, public: public, now: now}, nil
}

// keyID tells one key from the next, for the day when it is exchanged.
func keyID(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// claims is what a site reads.
type claims struct {
	jwt.Claims
	SubjectIssuer string     `json:"sub_iss"`
	Former        []Identity `json:"former,omitempty"`
	Name          string     `json:"name"`
	// Not "email": sites keep the image they were made from, and the plugin of older ones gives the account that bears the
	// address called so to the person.
	Email string `json:"verified_email,omitempty"`
	Role  Role   `json:"role"`
}

// Audience names a site so that neither another site nor the same name under another site takes an assertion made for it.
func Audience(siteID, host string) string { return siteID + "@" + host }

// Enter returns the assertion. ErrIncomplete, wrapped, without person, site or role.
func (i *Issuer) Enter(e Entry) (string, error) {
	if e.SiteID == "" || e.Host == "" || e.Issuer == "" || e.Subject == "" || e.Role == "" {
		return "", fmt.Errorf("entering site %q: %w", e.SiteID, ErrIncomplete)
	}
	now := i.now()
	token, err := jwt.Signed(i.signer).Claims(claims{
		Claims: jwt.Claims{
			Issuer: i.name, Subject: e.Subject, Audience: jwt.Audience{Audience(e.SiteID, e.Host)}, ID: rand.Text(),
			IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(Life)),
		},
		SubjectIssuer: e.Issuer, Former: e.Former, Name: e.Name, Email: e.Email, Role: e.Role,
	}).Serialize()
	if err != nil {
		return "", fmt.Errorf("signing an assertion: %w", err)
	}
	return token, nil
}

// document is the file that a site is given.
type document struct {
	Issuer string            `json:"issuer"`
	Keys   map[string]string `json:"keys"` // by key id: public keys, 32 bytes in base64url
}

// Public is what a site needs to check an assertion: the issuer's name and its public key, as JSON. Nothing in it is secret.
func (i *Issuer) Public() ([]byte, error) {
	data, err := json.Marshal(document{
		Issuer: i.name, Keys: map[string]string{keyID(i.public): base64.RawURLEncoding.EncodeToString(i.public)},
	})
	if err != nil {
		return nil, fmt.Errorf("writing the public key: %w", err)
	}
	return append(data, '\n'), nil
}
