package certs

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"chatiere/reverseproxy/atomicfile"
	"chatiere/reverseproxy/hostname"
)

const (
	day          = 24 * time.Hour
	caLife       = 3650 * day
	leafLife     = 90 * day
	backdate     = time.Hour // for clients whose clock is behind
	renewalShare = 3         // renewed when less than a third of the life is left
)

// Dirs says where the local authority keeps what it makes.
type Dirs struct {
	// CA holds the authority's key; only whoever calls EnsureLocal may read it.
	CA string
	// Leaf holds the wildcard certificate, its key and the authority's certificate.
	Leaf string
	// Group may read the wildcard's key and the Leaf directory; 0 leaves them as they are.
	Group int
}

// EnsureLocal makes sure that Leaf holds a certificate for every domain and the names one level below
// it, signed by an authority whose key lies in CA and which can sign for nothing else. What is there
// and good is kept: it renews a leaf with less than a third of its life left, and makes a new
// authority only if the old one is unusable or for other domains. It reports whether it wrote.
func EnsureLocal(dirs Dirs, domains []string, clock func() time.Time) (changed bool, err error) {
	domains, err = normalDomains(domains)
	if err != nil {
		return false, err
	}
	if err := dirs.make(); err != nil {
		return false, fmt.Errorf("making certificate directories: %w", err)
	}
	now := clock()
	ca, madeCA, err := ensureAuthority(dirs, domains, now)
	if err != nil {
		return false, fmt.Errorf("ensuring local authority: %w", err)
	}
	madeLeaf, err := ca.ensureLeaf(dirs, domains, now)
	if err != nil {
		return madeCA, fmt.Errorf("ensuring wildcard certificate: %w", err)
	}
	return madeCA || madeLeaf, nil
}

// authority signs leaves.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func ensureAuthority(dirs Dirs, domains []string, now time.Time) (authority, bool, error) {
	keyPath, certPath := filepath.Join(dirs.CA, CAKeyFile), filepath.Join(dirs.Leaf, CAFile)
	ca, err := readAuthority(keyPath, certPath)
	if err == nil && ca.serves(domains, now) {
		return ca, false, nil
	}
	if err != nil && !canReplace(err) {
		return authority{}, false, err
	}
	ca, der, err := newAuthority(domains, now)
	if err != nil {
		return authority{}, false, err
	}
	key, err := encodeKey(ca.key)
	if err != nil {
		return authority{}, false, err
	}
	// Key first: a crash in between leaves a pair that does not match, which the next call replaces.
	if err := atomicfile.Write(keyPath, key, 0o600); err != nil {
		return authority{}, false, err
	}
	return ca, true, atomicfile.Write(certPath, encodeCertificate(der), 0o644)
}

func readAuthority(keyPath, certPath string) (authority, error) {
	key, err := readKey(keyPath)
	if err != nil {
		return authority{}, err
	}
	cert, err := readCertificate(certPath)
	return authority{cert: cert, key: key}, err
}

// canReplace reports whether an unusable file may be made again. A file that could not be read for another reason
// (permissions, a bad disk) is left for a person.
func canReplace(err error) bool {
	var path *fs.PathError
	return errors.Is(err, fs.ErrNotExist) || !errors.As(err, &path)
}

func (a authority) serves(domains []string, now time.Time) bool {
	return a.key.PublicKey.Equal(a.cert.PublicKey) && a.cert.IsCA &&
		slices.Equal(a.cert.PermittedDNSDomains, domains) &&
		now.Before(a.cert.NotAfter.Add(-leafLife)) && !now.Before(a.cert.NotBefore)
}

func newAuthority(domains []string, now time.Time) (authority, []byte, error) {
	key, err := newKey()
	if err != nil {
		return authority{}, nil, err
	}
	number, err := serial()
	if err != nil {
		return authority{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          number,
		Subject:               pkix.Name{CommonName: "Local authority of " + domains[0]},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(caLife),
		IsCA:                  true,
		MaxPathLenZero:        true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,

		// A stolen key must be good for these names alone: other names are not permitted, and
		// addresses, which a list of permitted names says nothing about, are excluded.
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         domains,
		ExcludedIPRanges: []*net.IPNet{
			{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)},
			{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)},
		},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return authority{}, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return authority{cert: cert, key: key}, der, err
}

func (d Dirs) make() error {
	if err := os.MkdirAll(d.CA, 0o700); err != nil {
		return err
	}
	if err := os.MkdirAll(d.Leaf, 0o750); err != nil {
		return err
	}
	if d.Group == 0 {
		return nil
	}
	return os.Chown(d.Leaf, -1, d.Group)
}

// normalDomains sorts the domains and refuses what an authority must not be made for: a name of one
// label would let it sign for a whole top-level domain.
func normalDomains(domains []string) ([]string, error) {
	out := make([]string, 0, len(domains))
	for _, domain := range domains {
		name, ok := hostname.Public(domain)
		if !ok {
			return nil, fmt.Errorf("%w: %q", ErrDomain, domain)
		}
		out = append(out, name)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: none given", ErrDomain)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
