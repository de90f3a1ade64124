package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// Hash is what is stored of a secret that somebody else carries.
type Hash [sha256.Size]byte

// hashOf needs no salt or stretching: secrets have 256 random bits.
func hashOf(secret string) Hash { return sha256.Sum256([]byte(secret)) }

// randomSecret returns 256 random bits as text.
func randomSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program rather than return an error
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Sealer encrypts values that the database must not be able to read.
type Sealer struct {
	aead cipher.AEAD
}

// minKey rejects a mistyped or empty key file.
const minKey = 32

// NewSealer makes a sealer from the content of the key file.
func NewSealer(key []byte) (*Sealer, error) {
	if len(key) < minKey {
		return nil, fmt.Errorf("session key has %d bytes, at least %d are needed", len(key), minKey)
	}
	derived, err := hkdf.Key(sha256.New, key, nil, "chatiere panel session tokens v1", 32)
	if err != nil {
		return nil, fmt.Errorf("deriving session key: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("making cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("making cipher mode: %w", err)
	}
	return &Sealer{aead: aead}, nil
}

// seal encrypts text so that it can be unsealed only for the same owner.
func (s *Sealer) seal(text string, owner Hash) []byte {
	if text == "" {
		return nil
	}
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce)
	return s.aead.Seal(nonce, nonce, []byte(text), owner[:])
}

var errSealed = errors.New("sealed text does not open")

func (s *Sealer) unseal(sealed []byte, owner Hash) (string, error) {
	if len(sealed) == 0 {
		return "", nil
	}
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return "", errSealed
	}
	text, err := s.aead.Open(nil, sealed[:n], sealed[n:], owner[:])
	if err != nil {
		return "", errSealed
	}
	return string(text), nil
}
