package apiclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// ErrUnhealthy is a role that answers, but not well.
var ErrUnhealthy = errors.New("not healthy")

// Ask gets a path from a role at its socket and decodes the answer, unless into is nil.
func Ask(ctx context.Context, socket, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return fmt.Errorf("making a request: %w", err)
	}
	client := overSocket(socket, requestTimeout)
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("asking %s: %w", socket, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %w", socket, res.Status, ErrUnhealthy)
	}
	body := io.LimitReader(res.Body, maxResponse)
	if into == nil {
		_, err = io.Copy(io.Discard, body)
	} else {
		err = json.NewDecoder(body).Decode(into)
	}
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", socket, err)
	}
	return nil
}
