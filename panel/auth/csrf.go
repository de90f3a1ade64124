package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
)

// CSRFToken returns the session's form token under a fresh mask, so that no two pages carry the same bytes and a
// compressed answer gives nothing away.
func (s Session) CSRFToken() string {
	b := make([]byte, 2*len(s.CSRF))
	mask, masked := b[:len(s.CSRF)], b[len(s.CSRF):]
	_, _ = rand.Read(mask)
	subtle.XORBytes(masked, mask, s.CSRF[:])
	return base64.RawURLEncoding.EncodeToString(b)
}

// ValidCSRF reports whether a form's token is this session's.
func (s Session) ValidCSRF(token string) bool {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) != 2*len(s.CSRF) {
		return false
	}
	got := make([]byte, len(s.CSRF))
	subtle.XORBytes(got, b[:len(s.CSRF)], b[len(s.CSRF):])
	return subtle.ConstantTimeCompare(got, s.CSRF[:]) == 1
}
