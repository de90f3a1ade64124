package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"chatiere/cmd/internal/config"
	"chatiere/tenants/audit"
)

// ErrLocalOnly means that the request needs root on the server itself, but a remote panel was named.
var ErrLocalOnly = errors.New("only on the server itself, as root")

// Worker is a client of the worker of an instance on this machine.
type Worker struct{ http *http.Client }

// FindWorker finds the worker as Connect finds the panel, which need not run.
func FindWorker(p Target) (*Worker, error) {
	if p.Socket == "" && p.URL != "" {
		return nil, fmt.Errorf("%w: unset CHATIERE_URL", ErrLocalOnly)
	}
	socket, err := p.find(workerSocketOf, config.Paths.WorkerSocket)
	if err != nil {
		return nil, err
	}
	return &Worker{overSocket(socket, verifyTimeout)}, nil
}

// workerSocketOf returns the worker's socket of the instance with this panel socket.
func workerSocketOf(panel string) string {
	return config.PathsBelow(filepath.Dir(filepath.Dir(filepath.Dir(panel)))).WorkerSocket()
}

// verifyTimeout is how long the verification of a million rows may take on a slow server.
const verifyTimeout = 15 * time.Minute

// VerifyAudit verifies the audit log; heads are checkpoints that were stored elsewhere.
func (w *Worker) VerifyAudit(ctx context.Context, heads []byte) (report audit.Report, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://worker/audit/verify", bytes.NewReader(heads))
	if err != nil {
		return report, fmt.Errorf("making a request: %w", err)
	}
	res, err := w.http.Do(req)
	if err != nil {
		return report, fmt.Errorf("%w: the worker: %w", ErrNoPanel, err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxResponse))
	if err != nil {
		return report, fmt.Errorf("reading the worker's answer: %w", err)
	}
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusServiceUnavailable:
		return report, fmt.Errorf("%w: %s", ErrNoPanel, strings.TrimSpace(string(data)))
	default:
		return report, fmt.Errorf("the worker says: %s", strings.TrimSpace(string(data)))
	}
	if err := json.Unmarshal(data, &report); err != nil {
		return report, fmt.Errorf("decoding the worker's answer: %w", err)
	}
	return report, nil
}
