package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"chatiere/cmd/internal/doctor"
	"chatiere/cmd/internal/records"
	"chatiere/panel/api"
)

// doctor builds the doctor, which runs in the worker because only the worker sees engine and data root.
func (w *Worker) doctor() doctor.Doctor {
	c := w.config
	names := append([]string{c.Domain}, c.PlatformHosts()...)
	d := doctor.Doctor{
		Root: c.Root, Mounts: doctor.AllMounts, Engine: w.engine, Database: w.store, SitesDatabase: w.databases,
		Certificate: c.Paths().Wildcard(), Names: names, Shared: c.SharedName(),
		Resolve: net.DefaultResolver.LookupHost, Local: !slices.ContainsFunc(names, func(n string) bool { return !strings.HasSuffix(n, ".localhost") }), Permit: c.Egress.Permit, Now: w.now,
		Synchronised: synchronised, Jobs: w.board.Outcomes, Audit: w.auditKeeper.state, Records: w.currentRefusal, Advice: records.Advice,
	}
	d.Senders, d.Own = c.Mail.SendersOfAll(), []string{c.Domain, c.Mail.Domain}
	d.Rights, d.Escapes = c.Identity.Rights, w.escapes.Load
	if w.keycloak != nil {
		d.Identity = w.keycloak
	}
	return d
}

// synchronised asks the kernel (adjtimex(2)) whether a time service adjusts its clock.
func synchronised() bool {
	state, err := unix.Adjtimex(&unix.Timex{})
	return err == nil && state != unix.TIME_ERROR
}

// examine serves the panel's request for a diagnosis.
func (w *Worker) examine(rw http.ResponseWriter, r *http.Request) {
	found, err := w.doctor().Examine(r.Context())
	if err != nil {
		return // the asker is gone
	}
	rw.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(rw).Encode(found); err != nil {
		w.log.Warn("telling the panel what the doctor found failed", "error", err)
	}
}

// workerClient is the panel's client of the worker, and root's for the doctor.
type workerClient struct {
	client *http.Client
}

func newWorkerClient(socket string) workerClient {
	return workerClient{&http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}}
}

// nudgeTimeout bounds a nudge; if one is lost, the worker finds the operation by polling.
const nudgeTimeout = time.Second

// Nudge notifies the worker that an operation is due.
func (w workerClient) Nudge() { w.post("nudge") }

// ListsChanged notifies the worker that egress grants have changed.
func (w workerClient) ListsChanged() { w.post("lists") }

func (w workerClient) post(what string) {
	ctx, cancel := context.WithTimeout(context.Background(), nudgeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://worker/"+what, nil)
	if err != nil {
		return
	}
	if res, err := w.client.Do(req); err == nil {
		_ = res.Body.Close() // the answer is empty
	}
}

// SignOut asks the worker to end a person's sessions in the realm.
func (w workerClient) SignOut(ctx context.Context, subject string) error {
	ctx, cancel := context.WithTimeout(ctx, signOutTimeout)
	defer cancel()
	form := strings.NewReader(url.Values{"subject": {subject}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://worker/sign-out", form)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := w.client.Do(req)
	if err != nil {
		return fmt.Errorf("asking the worker: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		return fmt.Errorf("the worker answers %s", res.Status)
	}
	return nil
}

// signOutTimeout bounds the request: a person waits for the page.
const signOutTimeout = 5 * time.Second

// Examine asks the worker's doctor; if the worker does not answer, that is the diagnosis.
func (w workerClient) Examine(ctx context.Context) (api.Diagnosis, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://worker/doctor", nil)
	if err != nil {
		return api.Diagnosis{}, err
	}
	res, err := w.client.Do(req)
	if err != nil {
		return api.Diagnosis{Checks: []api.Check{{
			Name: "worker", State: api.CheckRed, Found: err.Error(),
			Advice: "The worker does not answer: sites go on, but nothing is made, changed or repaired. Start it: docker start chatiere-…-worker, or run make demo again.",
		}}}, nil
	}
	defer res.Body.Close()
	var d api.Diagnosis
	if err := json.NewDecoder(res.Body).Decode(&d); err != nil {
		return d, fmt.Errorf("reading what the doctor found: %w", err)
	}
	d.Checks = append([]api.Check{{Name: "worker", State: api.CheckGreen, Found: "answers"}}, d.Checks...)
	return d, nil
}
