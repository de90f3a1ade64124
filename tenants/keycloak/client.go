package keycloak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const (
	defaultTimeout = 15 * time.Second
	maxAnswer      = 8 << 20
	realmMarker    = "/realms/"
)

// Secret is a string that does not print itself.
type Secret string

// String hides the value from logs and formatted errors.
func (Secret) String() string { return "[redacted]" }

// GoString hides the value from %#v.
func (Secret) GoString() string { return "[redacted]" }

// Options say where the realm is and as whom to speak to it.
type Options struct {
	// Issuer is the realm's public URL, such as https://id.example.org:8443/realms/chatiere. The admin interface is
	// looked for beside it.
	Issuer string
	// ClientID and Secret belong to a confidential client with a service account in that realm.
	ClientID string
	Secret   Secret
	// Instance marks what is made here, so that two instances on one realm leave each other's things alone.
	Instance string
	// HTTPClient may bring its own dialer (a unix socket) and certificate authorities; nil is a plain client.
	HTTPClient *http.Client
}

// Client speaks to the admin interface of one realm. It is safe for concurrent use.
type Client struct {
	base     string
	realm    string
	issuer   string
	instance string
	http     *http.Client
	grant    clientcredentials.Config

	mu      sync.Mutex
	token   *oauth2.Token
	parents map[string]parent // by path, see parentID
}

// New makes a client; it does not connect.
func New(o Options) (*Client, error) {
	base, realm, found := strings.Cut(strings.TrimSuffix(o.Issuer, "/"), realmMarker)
	parsed, err := url.Parse(base)
	if err != nil || !found || realm == "" || parsed.Host == "" {
		return nil, fmt.Errorf("issuer %q: expected https://<host>/realms/<realm>: %w", o.Issuer, ErrInvalid)
	}
	if o.ClientID == "" || o.Secret == "" || o.Instance == "" {
		return nil, fmt.Errorf("client id, secret and instance are needed: %w", ErrInvalid)
	}
	client := o.HTTPClient
	if client == nil {
		client = &http.Client{Timeout: defaultTimeout}
	}
	return &Client{
		base: base, realm: realm, issuer: o.Issuer, instance: o.Instance, http: client,
		grant: clientcredentials.Config{
			ClientID: o.ClientID, ClientSecret: string(o.Secret),
			TokenURL:  base + realmMarker + realm + "/protocol/openid-connect/token",
			AuthStyle: oauth2.AuthStyleInHeader,
		},
	}, nil
}

// Ping tells whether the realm answers, under the configured issuer's name, and lets our client in.
func (c *Client) Ping(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+realmMarker+c.realm+"/.well-known/openid-configuration", nil)
	if err != nil {
		return fmt.Errorf("asking for the realm's description: %w", err)
	}
	var described struct {
		Issuer string `json:"issuer"`
	}
	if _, err := c.send(request, &described); err != nil {
		return fmt.Errorf("asking for the realm's description: %w", err)
	}
	if described.Issuer != c.issuer {
		return fmt.Errorf("%w: configured %q, the realm says %q", ErrIssuer, c.issuer, described.Issuer)
	}
	c.dropToken("")
	_, err = c.bearer(ctx)
	return err
}

// get reads path (below the realm's admin address) into out.
func (c *Client) get(ctx context.Context, path string, out any) error {
	_, err := c.do(ctx, http.MethodGet, path, nil, out)
	return err
}

// create posts and returns the id from the Location header; Keycloak's answers to a creation carry no body.
func (c *Client) create(ctx context.Context, path string, in any) (string, error) {
	answer, err := c.do(ctx, http.MethodPost, path, in, nil)
	if err != nil {
		return "", err
	}
	location := answer.Get("Location")
	return location[strings.LastIndexByte(location, '/')+1:], nil
}

func (c *Client) put(ctx context.Context, path string, in any) error {
	_, err := c.do(ctx, http.MethodPut, path, in, nil)
	return err
}

func (c *Client) remove(ctx context.Context, path string) error {
	_, err := c.do(ctx, http.MethodDelete, path, nil, nil)
	return err
}

// do sends one request, and once more with a new token if the old one was revoked or forgotten by a restart.
func (c *Client) do(ctx context.Context, method, path string, in, out any) (http.Header, error) {
	var body []byte
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encoding %s %s: %w", method, path, err)
		}
		body = encoded
	}
	header, err := c.attempt(ctx, method, path, body, out)
	if errors.Is(err, errStaleToken) {
		header, err = c.attempt(ctx, method, path, body, out)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return header, nil
}

func (c *Client) attempt(ctx context.Context, method, path string, body []byte, out any) (http.Header, error) {
	token, err := c.bearer(ctx)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+"/admin"+realmMarker+c.realm+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept", "application/json")
	if len(body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	header, err := c.send(request, out)
	if errors.Is(err, errStaleToken) {
		c.dropToken(token)
	}
	return header, err
}

// send performs the request and decodes a good answer into out, if out is not nil.
func (c *Client) send(request *http.Request, out any) (http.Header, error) {
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%w: reading the answer: %w", ErrUnreachable, err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return nil, responseError(response.StatusCode, content)
	}
	if out == nil {
		return response.Header, nil
	}
	if err := json.Unmarshal(content, out); err != nil {
		return nil, fmt.Errorf("%w: decoding the answer: %w", ErrUnreachable, err)
	}
	return response.Header, nil
}
