package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/schedule"
	"chatiere/reverseproxy/certs"
	"chatiere/reverseproxy/spoolfile"
	"chatiere/reverseproxy/traffic"
	"chatiere/tenants"
	"chatiere/tenants/jobs"
	"chatiere/tenants/keycloak"
	"chatiere/tenants/mysql"
)

// runRecurring runs the recurring jobs.
func (w *Worker) runRecurring(ctx context.Context) {
	schedule.Run(ctx, w.log, &w.board, w.recurringJobs()...)
}

func (w *Worker) recurringJobs() []schedule.Job {
	jobs := []schedule.Job{
		{Name: "heartbeat", Every: 20 * time.Second, Run: w.heartbeat},
		{Name: "reconcile", Every: time.Minute, Run: w.ifCurrent(w.reconcile)},
		{Name: "reserve", Every: time.Second, Run: w.diskGuard.Check},
		{Name: "database", Every: time.Second, Run: w.databaseGuard.Check},
		{Name: "database-rights", Every: 10 * time.Minute, Run: w.ifCurrent(w.databaseRights)},
		{Name: "traffic", Every: 3 * time.Second, Run: w.ingestTraffic},
		{Name: "traffic-memory", Every: time.Hour, Run: func(ctx context.Context) error {
			return w.store.ForgetBatches(ctx, w.now().Add(-batchRetention))
		}},
		{Name: "probe", Every: jobs.ProbeInterval, Run: w.siteJobs.Probe},
		{Name: "pulse", Every: jobs.PulseInterval, Run: w.siteJobs.Pulse},
		{Name: "cron", Every: time.Minute, Run: w.siteJobs.CronFaults},
		{Name: "access-rules", Every: time.Minute, Run: w.siteJobs.AccessRules},
		{Name: "measure", Every: 10 * time.Minute, Run: w.siteJobs.MeasureDisk},
		{Name: "bin", Every: time.Hour, Run: w.siteJobs.EmptyBin},
		{Name: "tries", Every: 5 * time.Second, Run: w.egressLog.Ingest},
		{Name: "outflow", Every: time.Minute, Run: w.egressLog.CheckVolume},
		{Name: "old-tries", Every: time.Hour, Run: w.egressLog.Prune},
		{Name: "findings", Every: time.Hour, Run: w.findings.Prune},
		// After the directory's answer (members, below) nobody keeps a session inside a site longer than this.
		{Name: "entrants", Every: 10 * time.Second, Run: w.ifCurrent(w.entrants.Publish)},
		{Name: "site-accounts", Every: 30 * time.Second, Limit: 10 * time.Minute, Run: w.ifCurrent(w.entrants.Survey)},
		{Name: "mail", Every: 2 * time.Second, Run: w.ingestMail},
		{Name: "mail-watch", Every: time.Minute, Run: w.mailChecker().Check},
		{Name: "mail-memory", Every: time.Hour, Run: w.mailChecker().Prune},
		{Name: "history", Every: time.Hour, Run: w.prune},
		{Name: "spools", Every: time.Minute, Run: w.reportBadFiles},
		{Name: "certificate", Every: time.Hour, Run: w.certificate},
	}
	jobs = append(jobs,
		schedule.Job{Name: "audit-seal", Every: 5 * time.Second, Limit: 10 * time.Minute, Run: w.auditKeeper.writer.AppendNew}, // the limit is for an upgrade's first round
		schedule.Job{Name: "audit-look", Every: 24 * time.Hour, Limit: time.Hour, Run: w.auditKeeper.daily})
	if w.keycloak == nil {
		return jobs
	}
	return append(jobs,
		// With the time one round takes, nobody keeps a right for five minutes that the directory took away.
		schedule.Job{Name: "members", Every: 4 * time.Minute, Run: w.mirror},
		schedule.Job{Name: "realm", Every: 6 * time.Hour, Run: w.ensureRealm})
}

// signOut ends a person's sessions in the realm. The panel can do nothing else in the realm.
func (w *Worker) signOut(rw http.ResponseWriter, r *http.Request) {
	subject := r.PostFormValue("subject")
	if w.keycloak == nil || subject == "" {
		http.Error(rw, "no account on the realm, or nobody named", http.StatusNotImplemented)
		return
	}
	if err := w.keycloak.Logout(r.Context(), subject); err != nil {
		w.log.Warn("a person's sessions in the realm not ended", "subject", subject, "error", err)
		http.Error(rw, "the realm refused or is away", http.StatusBadGateway)
		return
	}
	rw.WriteHeader(http.StatusNoContent)
}

// serveJobs serves the results of the last runs of the recurring jobs.
func (w *Worker) serveJobs(rw http.ResponseWriter, _ *http.Request) {
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(w.board.Outcomes()) // an asker who is gone needs no answer
}

func (w *Worker) heartbeat(ctx context.Context) error {
	return w.store.Heartbeat(ctx, w.runner.Owner, restartCommand(w.config, w.monitor.RecordLabels("worker")))
}

// ensureRealm updates the settings of our realm, or our part of an external one.
func (w *Worker) ensureRealm(ctx context.Context) error {
	c := w.config
	ctx, cancel := context.WithTimeout(ctx, realmTimeout)
	defer cancel()
	for w.keycloak.Ping(ctx) != nil {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for Keycloak to look after the realm: %w", ctx.Err())
		case <-time.After(startPoll):
		}
	}
	report, err := w.keycloak.EnsureRealm(ctx, keycloak.Realm{
		Shared: c.Identity.External, Name: c.Coop.Name, PanelClient: c.Identity.ClientID, PanelURL: c.PanelURL(),
	})
	if len(report.Changed) > 0 {
		w.log.Info("realm brought up to date", "changed", report.Changed)
	}
	if len(report.Advice) > 0 {
		w.log.Warn("the realm should be changed by those who run it", "advice", report.Advice)
	}
	return errors.Join(err, w.checkGroupEscaping(ctx))
}

// realmTimeout bounds ensureRealm, most of it waiting for Keycloak's start.
const realmTimeout = 10 * time.Minute

// checkGroupEscaping checks, if rights come from group paths, whether a group name can forge a path.
func (w *Worker) checkGroupEscaping(ctx context.Context) error {
	if w.config.Identity.Rights != config.RightsGroups {
		return nil
	}
	escapes, err := w.keycloak.EscapesSlashes(ctx)
	if err == nil {
		w.escapes.Store(&escapes)
	}
	return err
}

// mirror copies everybody's rights and records when all of it succeeded: users of the copy need its age.
func (w *Worker) mirror(ctx context.Context) error {
	if err := w.siteJobs.MirrorMembers(ctx); err != nil {
		return err
	}
	return w.store.NoteRights(ctx, w.runner.Owner)
}

// certificate renews what the local authority signed.
func (w *Worker) certificate(context.Context) error {
	if w.config.TLS.Mode != config.TLSLocalCA {
		return nil
	}
	p := w.config.Paths()
	changed, err := certs.EnsureLocal(certs.Dirs{CA: p.CADir(), Leaf: p.CertsDir(), Group: config.ProxyGID},
		w.config.CertificateDomains(), w.now)
	if changed {
		w.log.Info("certificate renewed")
	}
	return err
}

// batchRetention is how long a batch's name is stored, so that a crash between counting and deleting does not count it twice.
const batchRetention = 7 * 24 * time.Hour

// ingestTraffic ingests the proxy's counts into the database.
func (w *Worker) ingestTraffic(ctx context.Context) error {
	return traffic.Format.Ingest(ctx, w.config.Paths().ProxySpool(), w.log, func(batch string, records []traffic.Record) error {
		for _, r := range records {
			if r.Status["5xx"] > 0 {
				w.siteJobs.Suspect(r.Site)
			}
		}
		_, err := w.store.AddTraffic(ctx, batch, trafficRows(records))
		if errors.Is(err, tenants.ErrInvalid) {
			return fmt.Errorf("%w: %w", spoolfile.ErrDamaged, err) // it would come back for ever, and hold up those behind it
		}
		return err
	})
}

func trafficRows(records []traffic.Record) []mysql.TrafficRow {
	rows := make([]mysql.TrafficRow, 0, len(records))
	for _, r := range records {
		row := mysql.TrafficRow{
			SiteID: r.Site, At: r.From, Requests: int64(r.Requests), BytesIn: int64(r.BytesIn), BytesOut: int64(r.BytesOut),
		}
		for class := 1; class < len(row.Status); class++ {
			row.Status[class] = int64(r.Status[string(rune('0'+class))+"xx"])
		}
		rows = append(rows, row)
	}
	return rows
}
