package relay

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// ErrSmarthost means that the smarthost could not be reached, did not authenticate,
// or rejected our sign-in: it has nothing to do with one mail.
var ErrSmarthost = errors.New("smarthost")

// Encryption is how the connection to the smarthost is protected.
type Encryption string

// The kinds of encryption.
const (
	StartTLS Encryption = "starttls"
	Implicit Encryption = "implicit"
	Plain    Encryption = "none" // to this machine alone
)

// Smarthost is the co-op's own mail server, or one it is a client of.
type Smarthost struct {
	Host       string
	Port       int
	Encryption Encryption
	User       string                 // "": no sign-in
	Password   func() (string, error) // read anew for each connection
	Roots      *x509.CertPool         // nil: those of the system
}

const (
	dialLimit    = 15 * time.Second
	commandLimit = time.Minute
	dataLimit    = 5 * time.Minute // for the answer to a whole message
)

// Address is host and port.
func (s *Smarthost) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// connect opens a connection that is ready for mail. Every fault is ErrSmarthost.
func (s *Smarthost) connect(ctx context.Context, name string) (*smtp.Client, error) {
	client, err := s.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: connecting: %w", ErrSmarthost, err)
	}
	client.CommandTimeout, client.SubmissionTimeout = commandLimit, dataLimit
	if err := s.greet(client, name); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSmarthost, errors.Join(err, client.Close()))
	}
	return client, nil
}

func (s *Smarthost) open(ctx context.Context) (*smtp.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	// The configuration names this one server, so its address may be a private one.
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Address())
	if err != nil {
		return nil, err
	}
	trust := &tls.Config{ServerName: s.Host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
	switch s.Encryption {
	case Plain:
		return smtp.NewClient(conn), nil
	case Implicit:
		secure := tls.Client(conn, trust)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return smtp.NewClient(secure), nil
	}
	// Whoever holds the greeting back holds it back for so long only.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	client, err := smtp.NewClientStartTLS(conn, trust)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return client, nil
}

func (s *Smarthost) greet(client *smtp.Client, name string) error {
	if err := client.Hello(name); err != nil {
		// After STARTTLS the client has not said its name again, before it has.
		return fmt.Errorf("greeting: %w", err)
	}
	if s.User == "" {
		return nil
	}
	password, err := s.Password()
	if err != nil {
		return fmt.Errorf("signing in: %w", err)
	}
	if err := client.Auth(mechanism(client, s.User, password)); err != nil {
		return fmt.Errorf("signing in: %w", err)
	}
	return nil
}

func mechanism(client *smtp.Client, user, password string) sasl.Client {
	if !client.SupportsAuth(sasl.Plain) && client.SupportsAuth(sasl.Login) {
		return sasl.NewLoginClient(user, password)
	}
	return sasl.NewPlainClient("", user, password)
}
