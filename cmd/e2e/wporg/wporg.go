// Package wporg stands in for wordpress.org in tests: the catalogue that WordPress searches, the packages it fetches, and
// the answer to "is there anything newer". It speaks HTTPS under a certificate authority of its own, which a site has to be
// told to trust. It keeps to what WordPress 6.8 asks and reads. Start reading at Server.
package wporg

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"
)

// Names are the host names it answers for.
var Names = []string{"wordpress.org", "api.wordpress.org", "downloads.wordpress.org"}

// Kind is what a package is to WordPress.
type Kind string

// The kinds of packages.
const (
	Plugin Kind = "plugin"
	Theme  Kind = "theme"
)

// Package is one entry of the catalogue.
type Package struct {
	Kind    Kind
	Slug    string
	Name    string
	Summary string
	Version string // what is offered now
	// Files are the package's own, by path below its directory. "{version}" in them becomes the version.
	Files map[string]string
}

// Server is the stand-in. It is safe for concurrent use.
type Server struct {
	mu       sync.Mutex
	packages []Package
	asked    map[string]int

	authority []byte // PEM
	leaf      tls.Certificate
}

// New returns a server with a fresh authority and these packages.
func New(packages ...Package) (*Server, error) {
	s := &Server{packages: packages, asked: map[string]int{}}
	if err := s.certify(time.Now()); err != nil {
		return nil, fmt.Errorf("making certificates: %w", err)
	}
	return s, nil
}

// Authority is the certificate to trust, as PEM.
func (s *Server) Authority() []byte { return s.authority }

// Offer puts another version of a package into the catalogue.
func (s *Server) Offer(slug, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.packages {
		if s.packages[i].Slug == slug {
			s.packages[i].Version = version
		}
	}
}

// Asked is how often a path of a host was asked for, as in "api.wordpress.org/plugins/info/1.2/".
func (s *Server) Asked(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[path]
}

// Listen serves on an address until close is called.
func (s *Server) Listen(address string) (closed func() error, err error) {
	l, err := tls.Listen("tcp", address, &tls.Config{Certificates: []tls.Certificate{s.leaf}, MinVersion: tls.VersionTLS12})
	if err != nil {
		return nil, err
	}
	return s.Serve(l), nil
}

// Serve serves on a listener until the function it returns is called.
func (s *Server) Serve(l net.Listener) (closed func() error) {
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }() // ends with Close
	return server.Close
}

// certify makes an authority and one certificate for all names.
func (s *Server) certify(now time.Time) error {
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Stand-in of wordpress.org"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: Names[0]}, DNSNames: Names,
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return err
	}
	s.authority = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	s.leaf = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return nil
}
