package certs

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"path/filepath"
	"slices"
	"time"

	"chatiere/reverseproxy/atomicfile"
)

// ensureLeaf keeps the leaf at hand if it is good for a while, else issues one. The key of a leaf
// outlives it, so that a renewal replaces one file and no reader ever meets a pair that differs.
func (a authority) ensureLeaf(dirs Dirs, domains []string, now time.Time) (bool, error) {
	keyPath, certPath := filepath.Join(dirs.Leaf, KeyFile), filepath.Join(dirs.Leaf, LeafFile)
	key, madeKey, err := ensureLeafKey(keyPath, dirs.Group)
	if err != nil {
		return false, err
	}
	leaf, err := readCertificate(certPath)
	if err != nil && !canReplace(err) {
		return madeKey, err
	}
	if err == nil && a.leafValid(leaf, key, names(domains), now) {
		return madeKey, nil
	}
	der, err := a.issue(key, names(domains), now)
	if err != nil {
		return madeKey, err
	}
	return true, atomicfile.Write(certPath, encodeCertificate(der), 0o644)
}

func ensureLeafKey(path string, group int) (*ecdsa.PrivateKey, bool, error) {
	key, err := readKey(path)
	if err == nil || !canReplace(err) {
		return key, false, err
	}
	key, err = newKey()
	if err != nil {
		return nil, false, err
	}
	data, err := encodeKey(key)
	if err != nil {
		return nil, false, err
	}
	if group == 0 {
		group = -1
	}
	return key, true, atomicfile.WriteOwned(path, data, 0o640, -1, group)
}

func (a authority) leafValid(leaf *x509.Certificate, key *ecdsa.PrivateKey, names []string, now time.Time) bool {
	left, life := leaf.NotAfter.Sub(now), leaf.NotAfter.Sub(leaf.NotBefore)
	return leaf.CheckSignatureFrom(a.cert) == nil && key.PublicKey.Equal(leaf.PublicKey) &&
		slices.Equal(leaf.DNSNames, names) && left >= life/renewalShare && !now.Before(leaf.NotBefore)
}

func (a authority) issue(key *ecdsa.PrivateKey, names []string, now time.Time) ([]byte, error) {
	number, err := serial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: number,
		Subject:      pkix.Name{CommonName: names[0]},
		NotBefore:    now.Add(-backdate),
		NotAfter:     now.Add(leafLife - backdate),
		DNSNames:     names,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},

		BasicConstraintsValid: true,
	}
	return x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
}

// names lists each domain and everything one level below it.
func names(domains []string) []string {
	out := make([]string, 0, 2*len(domains))
	for _, domain := range domains {
		out = append(out, domain, "*."+domain)
	}
	return out
}
