package backups

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// minMasterKey is the least length of a master key, in bytes: 32 signs of hexadecimal have 128 bits.
const minMasterKey = 32

// Password derives the password of a repository from the master key, a random text: who has it can read every backup, and
// without it none can be read. The password depends on the key and the repository's name alone, such as
// "association:a1b2c3": HKDF with SHA-256, 32 bytes, in unpadded URL-safe base64, so that it can be given to the stock
// program on a command line.
func Password(master, repository string) (string, error) {
	if len(master) < minMasterKey {
		return "", errors.New("the master key of backups is missing or too short")
	}
	p, err := hkdf.Key(sha256.New, []byte(master), nil, "chatiere backups 1 "+repository, 32)
	if err != nil {
		return "", fmt.Errorf("deriving the key of %s: %w", repository, err)
	}
	return base64.RawURLEncoding.EncodeToString(p), nil
}
