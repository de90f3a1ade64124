package certs_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"chatiere/reverseproxy/certs"
)

const day = 24 * time.Hour

var now = time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)

func at(when time.Time) func() time.Time { return func() time.Time { return when } }

func dirs(t *testing.T) certs.Dirs {
	t.Helper()
	root := t.TempDir()
	return certs.Dirs{CA: filepath.Join(root, "ca"), Leaf: filepath.Join(root, "certs")}
}

func ensure(t *testing.T, d certs.Dirs, when time.Time, domains ...string) bool {
	t.Helper()
	changed, err := certs.EnsureLocal(d, domains, at(when))
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

func read(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func leaf(t *testing.T, d certs.Dirs) *x509.Certificate {
	return read(t, filepath.Join(d.Leaf, certs.LeafFile))
}
func ca(t *testing.T, d certs.Dirs) *x509.Certificate {
	return read(t, filepath.Join(d.Leaf, certs.CAFile))
}

func verify(cert, root *x509.Certificate, name string, when time.Time) error {
	roots := x509.NewCertPool()
	roots.AddCert(root)
	_, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: when})
	return err
}

func TestWildcardIsTrustedForItsDomainsAlone(t *testing.T) {
	d := dirs(t)
	if !ensure(t, d, now, "lilas.test", "chatiere.localhost") {
		t.Fatal("nothing was made")
	}
	for _, name := range []string{"lilas.test", "demo.lilas.test", "chatiere.localhost", "panel.chatiere.localhost"} {
		if err := verify(leaf(t, d), ca(t, d), name, now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"a.b.lilas.test", "example.org", "localhost", "127.0.0.1"} {
		if err := verify(leaf(t, d), ca(t, d), name, now); err == nil {
			t.Errorf("%s is trusted", name)
		}
	}
	if life := leaf(t, d).NotAfter.Sub(leaf(t, d).NotBefore); life > 90*day {
		t.Errorf("leaf lives %v", life)
	}
}

func TestStolenAuthorityIsGoodForNothingElse(t *testing.T) {
	d := dirs(t)
	ensure(t, d, now, "lilas.test")
	data, err := os.ReadFile(filepath.Join(d.CA, certs.CAKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for _, forged := range []x509.Certificate{
		{DNSNames: []string{"mabanque.example"}},
		{DNSNames: []string{"evil-lilas.test"}},
		{IPAddresses: []net.IP{net.ParseIP("192.0.2.1")}},
		{IPAddresses: []net.IP{net.ParseIP("2001:db8::1")}},
	} {
		forged.SerialNumber, forged.NotBefore, forged.NotAfter = big.NewInt(1), now, now.Add(day)
		forged.Subject = pkix.Name{CommonName: "forged"}
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.CreateCertificate(rand.Reader, &forged, ca(t, d), own.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(cert, ca(t, d), "", now); err == nil {
			t.Errorf("%v %v: trusted", forged.DNSNames, forged.IPAddresses)
		}
	}
}

func TestEnsureIsIdempotentAndRenewsInTheLastThird(t *testing.T) {
	d := dirs(t)
	ensure(t, d, now, "lilas.test")
	first, root := leaf(t, d), ca(t, d)
	for _, later := range []time.Duration{0, day, 59 * day} {
		if ensure(t, d, now.Add(later), "lilas.test") {
			t.Errorf("changed after %v", later)
		}
	}
	if !ensure(t, d, now.Add(61*day), "lilas.test") {
		t.Fatal("not renewed")
	}
	second := leaf(t, d)
	if second.SerialNumber.Cmp(first.SerialNumber) == 0 || !ca(t, d).Equal(root) {
		t.Error("renewal kept the leaf or changed the authority")
	}
	if !first.PublicKey.(*ecdsa.PublicKey).Equal(second.PublicKey) {
		t.Error("renewal changed the key, so readers may meet a pair that differs")
	}
	if !ensure(t, d, now.Add(61*day), "lilas.test", "autre.test") || ca(t, d).Equal(root) {
		t.Error("another domain needs another authority")
	}
	if err := verify(leaf(t, d), ca(t, d), "demo.autre.test", now.Add(61*day)); err != nil {
		t.Error(err)
	}
}

func TestDamagedFilesAreMadeAnew(t *testing.T) {
	for _, file := range []func(certs.Dirs) string{
		func(d certs.Dirs) string { return filepath.Join(d.CA, certs.CAKeyFile) },
		func(d certs.Dirs) string { return filepath.Join(d.Leaf, certs.CAFile) },
		func(d certs.Dirs) string { return filepath.Join(d.Leaf, certs.KeyFile) },
		func(d certs.Dirs) string { return filepath.Join(d.Leaf, certs.LeafFile) },
	} {
		for _, content := range []string{"", "not a PEM file", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
			d := dirs(t)
			ensure(t, d, now, "lilas.test")
			if err := os.WriteFile(file(d), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if !ensure(t, d, now, "lilas.test") {
				t.Errorf("%s with %q: kept", file(d), content)
			}
			if err := verify(leaf(t, d), ca(t, d), "x.lilas.test", now); err != nil {
				t.Errorf("%s with %q: %v", file(d), content, err)
			}
			if _, err := tls.LoadX509KeyPair(filepath.Join(d.Leaf, certs.LeafFile), filepath.Join(d.Leaf, certs.KeyFile)); err != nil {
				t.Errorf("%s with %q: %v", file(d), content, err)
			}
		}
	}
}

func TestKeysAreReadableByWhomTheyMust(t *testing.T) {
	d := dirs(t)
	d.Group = os.Getgid() + 1
	if os.Getuid() != 0 {
		d.Group = os.Getgid() // only root may give to another group
	}
	ensure(t, d, now, "lilas.test")
	for path, mode := range map[string]os.FileMode{
		d.CA: 0o700, filepath.Join(d.CA, certs.CAKeyFile): 0o600, d.Leaf: 0o750,
		filepath.Join(d.Leaf, certs.KeyFile): 0o640, filepath.Join(d.Leaf, certs.CAFile): 0o644,
	} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestUnusableDomainsAreRefused(t *testing.T) {
	for _, domains := range [][]string{nil, {"localhost"}, {"*.lilas.test"}, {"127.0.0.1"}, {"lilas.test:443"}, {""}} {
		if _, err := certs.EnsureLocal(dirs(t), domains, at(now)); !errors.Is(err, certs.ErrDomain) {
			t.Errorf("%q: %v", domains, err)
		}
	}
}

func TestSourceKeepsTheLastGoodPair(t *testing.T) {
	d := dirs(t)
	certFile, keyFile := filepath.Join(d.Leaf, certs.LeafFile), filepath.Join(d.Leaf, certs.KeyFile)
	source := certs.Open(certFile, keyFile, 5*time.Millisecond, time.Now, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		source.Run(ctx)
	}()
	defer func() {
		cancel()
		<-done
	}()
	if _, err := source.GetCertificate(nil); !errors.Is(err, certs.ErrNone) {
		t.Fatalf("without files: %v", err)
	}
	serves := func(want *x509.Certificate) bool {
		cert, err := source.GetCertificate(nil)
		return err == nil && cert.Leaf.Equal(want)
	}
	ensure(t, d, time.Now(), "lilas.test")
	first := leaf(t, d)
	eventually(t, "the first pair is served", func() bool { return serves(first) })

	other := dirs(t)
	ensure(t, other, time.Now(), "lilas.test")
	expired := dirs(t)
	ensure(t, expired, time.Now().Add(-100*day), "lilas.test")
	for _, bad := range []func() error{
		func() error { return os.Remove(certFile) },
		func() error { return os.WriteFile(certFile, []byte("half"), 0o644) },
		func() error { return move(t, filepath.Join(other.Leaf, certs.LeafFile), certFile) }, // another key's
		func() error { return move(t, filepath.Join(expired.Leaf, certs.KeyFile), keyFile) },
		func() error { return move(t, filepath.Join(expired.Leaf, certs.LeafFile), certFile) }, // an expired pair
	} {
		if err := bad(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // several polls: nothing is to happen, so nothing can be awaited
		if !serves(first) {
			t.Fatal("the last good pair was dropped")
		}
	}
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	ensure(t, d, time.Now(), "lilas.test")
	second := leaf(t, d)
	eventually(t, "the second pair is served", func() bool { return serves(second) })
}

func move(t *testing.T, from, to string) error {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	return os.WriteFile(to, data, 0o600)
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen: %s", what)
		}
	}
}
