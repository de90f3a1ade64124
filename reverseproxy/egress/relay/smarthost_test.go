package relay_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http/httptest"
	"strings"
	"testing"

	"chatiere/reverseproxy/egress/relay"
)

// proof returns what a server at 127.0.0.1 proves itself by, and who believes it.
func proof(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &tls.Config{Certificates: s.TLS.Certificates, MinVersion: tls.VersionTLS12}, roots
}

func TestMailReachesASmarthostThatProvesItselfAndNoOther(t *testing.T) {
	mine, roots := proof(t)
	for name, c := range map[string]struct {
		encryption relay.Encryption
		secure     bool // the server's side
		proof      *tls.Config
		roots      *x509.CertPool
		refused    string // "": the mail arrives
	}{
		"starttls":                   {relay.StartTLS, false, mine, roots, ""},
		"implicit":                   {relay.Implicit, true, mine, roots, ""},
		"starttls, another server":   {relay.StartTLS, false, mine, x509.NewCertPool(), "certificate"},
		"implicit, another server":   {relay.Implicit, true, mine, x509.NewCertPool(), "certificate"},
		"starttls taken out":         {relay.StartTLS, false, nil, roots, "STARTTLS"},
		"implicit, but speaks plain": {relay.Implicit, false, nil, roots, "handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			host := &smarthost{proof: c.proof, secure: c.secure}
			host.open(t, "127.0.0.1:0")
			h := newHouse(t, func(o *relay.Options) {
				o.Smarthost = &relay.Smarthost{Host: "127.0.0.1", Port: host.port, Encryption: c.encryption, Roots: c.roots}
			})
			h.must(siteA, "lea@a.test")
			if c.refused == "" {
				h.told(siteA, "l…@a.test", "sent")
				return
			}
			e := h.told(siteA, "l…@a.test", "deferred")
			if e.Cause != relay.CauseSmarthost || len(host.arrived()) > 0 || !strings.Contains(h.logs.String(), c.refused) {
				t.Errorf("reported %+v, arrived %v; logged %s", e, host.arrived(), h.logs)
			}
		})
	}
}
