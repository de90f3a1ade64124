package keycloak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/oauth2"
)

// errStaleToken is a 401: the token that seemed good is not, so a new one is worth one try.
var errStaleToken = fmt.Errorf("token not accepted: %w", ErrRefused)

// bearer returns an access token of our service account, a new one when the last is about to expire.
func (c *Client) bearer(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token.Valid() {
		return c.token.AccessToken, nil
	}
	token, err := c.grant.Token(context.WithValue(ctx, oauth2.HTTPClient, c.http))
	if err != nil {
		return "", fmt.Errorf("getting a token for %s: %w", c.grant.ClientID, grantError(err))
	}
	c.token = token
	return token.AccessToken, nil
}

// dropToken drops the token if it is the one that failed; an empty string drops any.
func (c *Client) dropToken(failed string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != nil && (failed == "" || c.token.AccessToken == failed) {
		c.token = nil
	}
}

func grantError(err error) error {
	var answered *oauth2.RetrieveError
	if !errors.As(err, &answered) {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if status := answered.Response.StatusCode; status == http.StatusNotFound {
		return fmt.Errorf("no such realm: %w", ErrNotFound)
	} else if status >= http.StatusInternalServerError || status == http.StatusTooManyRequests {
		return fmt.Errorf("%w: status %d", ErrUnreachable, status)
	}
	return fmt.Errorf("%w: %s", ErrRefused, answered.ErrorCode)
}

// responseError turns an unsuccessful response into one of our errors, with Keycloak's message.
func responseError(status int, content []byte) error {
	var said struct {
		Message     string `json:"errorMessage"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	_ = json.Unmarshal(content, &said) // an error page is not always JSON; the status decides
	words := strings.TrimSpace(strings.Join([]string{said.Message, said.Error, said.Description}, " "))
	return fmt.Errorf("%w (status %d) %s", errorFor(status, said.Error), status, words)
}

func errorFor(status int, code string) error {
	switch {
	case strings.HasPrefix(code, "invalidPassword"):
		return ErrWeakPassword
	case status == http.StatusUnauthorized:
		return errStaleToken
	case status == http.StatusForbidden:
		return ErrRefused
	case status == http.StatusNotFound:
		return ErrNotFound
	case status == http.StatusConflict:
		return ErrConflict
	case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		return ErrUnreachable
	default:
		return ErrInvalid
	}
}
