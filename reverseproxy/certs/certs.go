// Package certs makes and serves the proxy's certificates: a local authority for trying things out,
// and a source of certificates from files that are swapped while connections go on.
//
// It knows nothing of routes or sites. Start reading at EnsureLocal and Source.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
)

// Names of the files in the directory of the leaf; the key of the authority lies elsewhere.
const (
	LeafFile = "wildcard.pem"
	KeyFile  = "wildcard-key.pem"
	CAFile   = "ca.pem"
	// CAKeyFile lies in the authority's own directory.
	CAKeyFile = "ca-key.pem"
)

var (
	// ErrPEM is a file without the PEM block that is expected in it.
	ErrPEM = errors.New("no such PEM block")
	// ErrDomain is a domain that no authority should be made for.
	ErrDomain = errors.New("unusable domain")
	// ErrExpired is a certificate offered for use after its end.
	ErrExpired = errors.New("certificate has expired")
)

const (
	pemCertificate = "CERTIFICATE"
	pemKey         = "PRIVATE KEY"
)

func readBlock(path, kind string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%w: %s in %s", ErrPEM, kind, path)
	}
	return block.Bytes, nil
}

func readCertificate(path string) (*x509.Certificate, error) {
	der, err := readBlock(path, pemCertificate)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func readKey(path string) (*ecdsa.PrivateKey, error) {
	der, err := readBlock(path, pemKey)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok || ec.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: ECDSA P-256 key in %s", ErrPEM, path)
	}
	return ec, nil
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der}), nil
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der})
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func serial() (*big.Int, error) { return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) }
