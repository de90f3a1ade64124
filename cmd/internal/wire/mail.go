package wire

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"chatiere/cmd/internal/config"
	"chatiere/reverseproxy/egress/relay"
)

// errMailCA says that secrets/gateway/mail_ca.pem is no certificate.
var errMailCA = errors.New("no certificate in it")

// mailOptions gives the relay's form to the configuration.
func mailOptions(c config.Config) (relay.Options, error) {
	o := relay.Options{
		Dir: c.Paths().MailQueue(), Domain: c.Mail.Domain, Senders: c.Mail.Senders, Foreign: relay.Foreign(c.Mail.Foreign), Hourly: c.Mail.Hourly,
	}
	host, port := c.MailServer()
	if host == "" {
		return o, nil
	}
	roots, err := mailRoots(c.Paths().MailCA())
	if err != nil {
		return o, err
	}
	o.Smarthost = &relay.Smarthost{
		Host: host, Port: port, Encryption: relay.Encryption(c.Mail.TLS), User: c.Mail.User, Password: c.Secret(config.SecretMail).Reveal, Roots: roots,
	}
	return o, nil
}

// mailRoots adds the co-op's own authority, if there is one, to the system's.
func mailRoots(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // no pool means the system's
	}
	if err != nil {
		return nil, fmt.Errorf("reading the smarthost's authority: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("reading the smarthost's authority %s: %w", path, errMailCA)
	}
	return roots, nil
}
