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

// doctor looks from the worker's place, which alone sees engine and data root.
func (w *Worker) doctor() doctor.Doctor {
	c := w.config
	names := append([]string{c.Domain}, c.PlatformHosts()...)
	d := doctor.Doctor{
		Root: c.Root, Mounts: doctor.AllMounts, Engine: w.engine, Database: w.store, SitesDatabase: w.databases,
		Certificate: c.Paths().Wildcard(), Names: names, Shared: c.SharedName(),
		Resolve: net.DefaultResolver.LookupHost, Local: !slices.ContainsFunc(names, func(n string) bool { return !strings.HasSuffix(n, ".localhost") }), Permit: c.Egress.Permit, Now: w.now,
		Synchronised: synchronised, Jobs: w.board.Outcomes, Audit: w.vault.state, Records: w.refused, Advice: records.Advice,
	}
	d.Senders, d.Own = c.Mail.SendersOfAll(), []string{c.Domain, c.Mail.Domain}
	d.Rights, d.Escapes = c.Identity.Rights, w.escapes.Load
	if w.keycloak != nil {
		d.Identity = w.keycloak
	}
	return d
}

// synchronised asks the kernel (adjtimex(2)) whether a time service keeps its clock.
func synchronised() bool {
	state, err := unix.Adjtimex(&unix.Timex{})
	return err == nil && state != unix.TIME_ERROR
}

// examine answers the panel's question how the platform is.
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

// worker is the worker as the panel reaches it, and root as far as the doctor goes.
type worker struct {
	client *http.Client
}

func newWorkerClient(socket string) worker {
	return worker{&http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}}
}

// nudgeTime bounds a nudge; one that is lost only costs the worker's next look.
const nudgeTime = time.Second

// Nudge tells the worker that something is due.
func (w worker) Nudge() { w.tell("nudge") }

// ListsChanged tells the worker that sites may reach more, or less.
func (w worker) ListsChanged() { w.tell("lists") }

func (w worker) tell(what string) {
	ctx, cancel := context.WithTimeout(context.Background(), nudgeTime)
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
func (w worker) SignOut(ctx context.Context, subject string) error {
	ctx, cancel := context.WithTimeout(ctx, signOutTime)
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

// signOutTime bounds one such question: a person waits for the page.
const signOutTime = 5 * time.Second

// Examine asks the worker's doctor; a worker that does not answer is itself what was found.
func (w worker) Examine(ctx context.Context) (api.Diagnosis, error) {
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
