package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/platform"
)

// Client calls the worker over one of its sockets.
type Client struct{ http *http.Client }

// NewClient returns a client of the worker at a socket.
func NewClient(socket string) Client {
	return Client{&http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}}
}

const (
	// nudgeTimeout bounds a nudge; if one is lost, the worker finds the operation by polling.
	nudgeTimeout = time.Second
	// signOutTimeout and containersTimeout bound requests for which a person waits.
	signOutTimeout    = 5 * time.Second
	containersTimeout = 2 * time.Second
)

// Nudge notifies the worker that an operation is due.
func (c Client) Nudge() { c.notify("nudge") }

// ListsChanged notifies the worker that egress grants have changed.
func (c Client) ListsChanged() { c.notify("lists") }

func (c Client) notify(path string) {
	ctx, cancel := context.WithTimeout(context.Background(), nudgeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://worker/"+path, nil)
	if err != nil {
		return
	}
	if res, err := c.http.Do(req); err == nil {
		_ = res.Body.Close() // the answer is empty
	}
}

// SignOut asks the worker to end a person's sessions in the realm.
func (c Client) SignOut(ctx context.Context, subject string) error {
	ctx, cancel := context.WithTimeout(ctx, signOutTimeout)
	defer cancel()
	form := strings.NewReader(url.Values{"subject": {subject}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://worker/sign-out", form)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("asking the worker: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		return fmt.Errorf("the worker answers %s", res.Status)
	}
	return nil
}

// Containers requests the state of the platform's containers.
func (c Client) Containers(ctx context.Context) (states []platform.State, err error) {
	ctx, cancel := context.WithTimeout(ctx, containersTimeout)
	defer cancel()
	if err := c.get(ctx, "parts", &states); err != nil {
		return nil, fmt.Errorf("requesting the state of the platform's containers: %w", err)
	}
	return states, nil
}

// Examine requests the doctor's diagnosis; tenants.ErrUnavailable if the worker does not answer.
func (c Client) Examine(ctx context.Context, diagnosis any) error {
	if err := c.get(ctx, "doctor", diagnosis); err != nil {
		return fmt.Errorf("requesting a diagnosis: %w", err)
	}
	return nil
}

func (c Client) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://worker/"+path, nil)
	if err != nil {
		return err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("asking the worker: %w: %w", tenants.ErrUnavailable, err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		return fmt.Errorf("reading the worker's answer: %w", err)
	}
	return nil
}
