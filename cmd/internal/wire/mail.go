package wire

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"chatiere/cmd/internal/config"
	"chatiere/reverseproxy/egress/relay"
	"chatiere/reverseproxy/egress/relay/report"
	"chatiere/tenants"
	"chatiere/tenants/mailcheck"
	"chatiere/tenants/mysql"
)

// errMailCA means that secrets/gateway/mail_ca.pem contains no certificate.
var errMailCA = errors.New("no certificate in it")

// mailOptions converts the configuration to the relay's options.
func mailOptions(c config.Config) (relay.Options, error) {
	o := relay.Options{
		Dir: c.Paths().MailQueue(), Domain: c.Mail.Domain, Senders: c.Mail.SendersOfAll(), Foreign: relay.Foreign(c.Mail.Foreign), Hourly: c.Mail.Hourly,
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

// sendersOf returns the domains that a site may send mail from, beside its own name and those of all sites.
func sendersOf(m config.Mail, store *mysql.Store) func(context.Context, tenants.Site) ([]string, error) {
	return func(ctx context.Context, s tenants.Site) ([]string, error) {
		if len(m.SendersOfAll()) == len(m.Senders) {
			return nil, nil // for no association
		}
		a, err := store.Association(ctx, s.AssociationID)
		return m.SendersOf(a.Slug), err
	}
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

// ingestMail ingests the relay's reports into the database.
func (w *Worker) ingestMail(ctx context.Context) error {
	return report.Format.Ingest(ctx, relay.ReportDir(w.config.Paths().MailQueue()), w.log, func(_ string, entries []report.Entry) error {
		told := make([]tenants.Mail, 0, len(entries))
		for _, e := range entries {
			told = append(told, tenants.Mail{
				ID: e.ID, SiteID: e.Site, To: e.To, State: tenants.MailState(e.State), Cause: e.Cause, Code: e.Code, Said: e.Said,
				Count: e.Count, Accepted: e.Accepted, Changed: e.Changed, Next: e.Next,
			})
		}
		return w.store.KeepMails(ctx, told)
	})
}

// mailChecker builds the checker of the sites' mail.
func (w *Worker) mailChecker() *mailcheck.Checker {
	return &mailcheck.Checker{Records: w.store, Findings: w.findings, Relay: w.config.Mail.Smarthost != "", Now: w.now}
}

// mailHourly is the sites' quota for the pages; 0 without a mail server.
func mailHourly(c config.Config) int {
	if c.Mail.Smarthost == "" {
		return 0
	}
	return c.Mail.Hourly
}
