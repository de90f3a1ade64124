package keycloak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// User is a person who can sign in.
type User struct {
	ID        string
	Username  string
	Email     string
	Verified  bool // the address is known to be theirs; Keycloak takes that back when they change it themselves
	FirstName string
	LastName  string
	Enabled   bool
	Instance  string
	Operation string
}

// Account says what a person's account should be. Password and OTP are only used when the account is made.
type Account struct {
	Username  string
	Email     string
	FirstName string
	LastName  string
	// Password may be empty: then somebody sends the person a link, see [Client.SendActions].
	Password Secret
	// Temporary makes Keycloak ask for a new password at the first sign-in.
	Temporary bool
	// OTP is a base32 secret for one-time codes (SHA-1, six digits, thirty seconds); empty for none.
	OTP Secret
	// Operation is the one in whose name the account is made.
	Operation string
}

type userRecord struct {
	ID            string              `json:"id,omitempty"`
	Username      string              `json:"username"`
	Email         string              `json:"email,omitempty"`
	FirstName     string              `json:"firstName,omitempty"`
	LastName      string              `json:"lastName,omitempty"`
	Enabled       bool                `json:"enabled"`
	EmailVerified bool                `json:"emailVerified"`
	Attributes    map[string][]string `json:"attributes,omitempty"`
	Credentials   []credentialRecord  `json:"credentials,omitempty"`
}

type credentialRecord struct {
	Type           string `json:"type"`
	Value          string `json:"value,omitempty"`
	Temporary      bool   `json:"temporary"`
	UserLabel      string `json:"userLabel,omitempty"`
	SecretData     string `json:"secretData,omitempty"`
	CredentialData string `json:"credentialData,omitempty"`
}

func (r userRecord) user() User {
	return User{
		ID: r.ID, Username: r.Username, Email: r.Email, Verified: r.EmailVerified, FirstName: r.FirstName, LastName: r.LastName,
		Enabled:  r.Enabled,
		Instance: first(r.Attributes[instanceAttribute]), Operation: first(r.Attributes[operationAttribute]),
	}
}

// FindUser finds a person by user name or, failing that, by e-mail address, both exact.
func (c *Client) FindUser(ctx context.Context, nameOrAddress string) (User, error) {
	for _, field := range []string{"username", "email"} {
		var found []userRecord
		query := "/users?exact=true&briefRepresentation=false&" + field + "=" + url.QueryEscape(nameOrAddress)
		if err := c.get(ctx, query, &found); err != nil {
			return User{}, fmt.Errorf("finding a person: %w", err)
		}
		if len(found) == 1 {
			return found[0].user(), nil
		}
	}
	return User{}, fmt.Errorf("finding a person: %w", ErrNotFound)
}

// EnsureUser makes the account unless the user name is there already; an existing account keeps its password, its
// one-time code and its names. An e-mail address that belongs to another user name is an [ErrConflict].
func (c *Client) EnsureUser(ctx context.Context, wanted Account) (User, error) {
	found, err := c.FindUser(ctx, wanted.Username)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return found, err
	}
	credentials, err := wanted.credentials()
	if err != nil {
		return User{}, err
	}
	record := userRecord{
		Username: wanted.Username, Email: wanted.Email, FirstName: wanted.FirstName, LastName: wanted.LastName,
		Enabled: true, EmailVerified: wanted.Email != "", Attributes: c.attributes(wanted.Operation), Credentials: credentials,
	}
	if _, err := c.create(ctx, "/users", record); err != nil {
		if raced, again := c.FindUser(ctx, wanted.Username); errors.Is(err, ErrConflict) && again == nil {
			return raced, nil
		}
		return User{}, fmt.Errorf("making the account %s: %w", wanted.Username, err)
	}
	return c.FindUser(ctx, wanted.Username)
}

func (a Account) credentials() ([]credentialRecord, error) {
	var all []credentialRecord
	if a.Password != "" {
		all = append(all, credentialRecord{Type: "password", Value: string(a.Password), Temporary: a.Temporary})
	}
	if a.OTP == "" {
		return all, nil
	}
	secret, err := json.Marshal(map[string]string{"value": string(a.OTP)})
	if err != nil {
		return nil, fmt.Errorf("encoding the one-time code's secret: %w", err)
	}
	return append(all, credentialRecord{
		Type: "otp", UserLabel: "Chatière", SecretData: string(secret),
		CredentialData: `{"subType":"totp","digits":6,"counter":0,"period":30,"algorithm":"HmacSHA1","secretEncoding":"BASE32"}`,
	}), nil
}

// SetPassword gives a person a new password; temporary asks for another at the next sign-in. A password that the
// realm's policy does not accept is an [ErrWeakPassword].
func (c *Client) SetPassword(ctx context.Context, userID string, password Secret, temporary bool) error {
	wanted := credentialRecord{Type: "password", Value: string(password), Temporary: temporary}
	if err := c.put(ctx, "/users/"+url.PathEscape(userID)+"/reset-password", wanted); err != nil {
		return fmt.Errorf("setting a password: %w", err)
	}
	return nil
}

// SendActions mails a person a link to do things with their account, such as UPDATE_PASSWORD or CONFIGURE_TOTP, and
// leads back to returnTo. The realm needs a mail server for it.
func (c *Client) SendActions(ctx context.Context, userID, clientID, returnTo string, actions ...string) error {
	query := url.Values{"client_id": {clientID}, "redirect_uri": {returnTo}}
	path := "/users/" + url.PathEscape(userID) + "/execute-actions-email?" + query.Encode()
	if err := c.put(ctx, path, actions); err != nil {
		return fmt.Errorf("sending a link: %w", err)
	}
	return nil
}

// Logout ends all sessions of a person; Keycloak tells the applications by back-channel.
func (c *Client) Logout(ctx context.Context, userID string) error {
	if _, err := c.do(ctx, http.MethodPost, "/users/"+url.PathEscape(userID)+"/logout", nil, nil); err != nil {
		return fmt.Errorf("ending a person's sessions: %w", err)
	}
	return nil
}

// GroupsOf lists the groups a person is in.
func (c *Client) GroupsOf(ctx context.Context, userID string) ([]Group, error) {
	records, err := readAll[groupRecord](ctx, c, "/users/"+url.PathEscape(userID)+"/groups?briefRepresentation=false")
	if err != nil {
		return nil, fmt.Errorf("listing a person's groups: %w", err)
	}
	groups := make([]Group, len(records))
	for i, record := range records {
		groups[i] = record.group()
	}
	return groups, nil
}

// DeleteUser removes an account that this instance made; one that is not there is no error.
func (c *Client) DeleteUser(ctx context.Context, username string) error {
	found, err := c.FindUser(ctx, username)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if found.Instance != c.instance {
		return fmt.Errorf("deleting the account %s: %w", username, ErrForeign)
	}
	if err := c.remove(ctx, "/users/"+found.ID); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("deleting the account %s: %w", username, err)
	}
	return nil
}
