package worker

import (
	"context"
	"time"

	"chatiere/tenants/audit"
	"chatiere/tenants/dbguard"
	"chatiere/tenants/diskguard"
	"chatiere/tenants/entrants"
	"chatiere/tenants/jobs"
	"chatiere/tenants/mailcheck"
	"chatiere/tenants/platform"
	"chatiere/tenants/schedule"
)

// Jobs is what runs again and again.
type Jobs struct {
	Sites          *jobs.Jobs
	Backups        *jobs.Backups
	Entrants       *entrants.Keeper
	Monitor        *platform.Monitor
	DiskGuard      *diskguard.Guard
	DatabaseGuard  *dbguard.Guard
	DatabaseRights func(ctx context.Context) error // adjusts the sites' database rights to template and configuration
	Audit          *audit.Keeper
	Mail           *mailcheck.Checker
	Egress         EgressLog
	Spools         Spools
	Certificate    func(ctx context.Context) error // renews what the local authority signed
}

// EgressLog ingests and checks the sites' egress attempts.
type EgressLog interface {
	Ingest(ctx context.Context) error
	CheckVolume(ctx context.Context) error
	Prune(ctx context.Context) error
}

// Spools ingests the other spools of proxy and gateway.
type Spools interface {
	IngestTraffic(ctx context.Context) error
	PruneBatches(ctx context.Context) error
	IngestMail(ctx context.Context) error
	ReportBadFiles(ctx context.Context) error
}

// runRecurring runs the recurring jobs.
func (w *Worker) runRecurring(ctx context.Context) {
	schedule.Run(ctx, w.Log, &w.board, w.recurringJobs()...)
}

func (w *Worker) recurringJobs() []schedule.Job {
	j := &w.Jobs
	list := []schedule.Job{
		{Name: "heartbeat", Every: 20 * time.Second, Run: w.heartbeat},
		{Name: "reconcile", Every: time.Minute, Run: w.ifCurrent(w.reconcile)},
		{Name: "reserve", Every: time.Second, Run: j.DiskGuard.Check},
		{Name: "database", Every: time.Second, Run: j.DatabaseGuard.Check},
		{Name: "database-rights", Every: 10 * time.Minute, Run: w.ifCurrent(j.DatabaseRights)},
		{Name: "traffic", Every: 3 * time.Second, Run: j.Spools.IngestTraffic},
		{Name: "traffic-memory", Every: time.Hour, Run: j.Spools.PruneBatches},
		{Name: "probe", Every: jobs.ProbeInterval, Run: j.Sites.Probe},
		{Name: "pulse", Every: jobs.PulseInterval, Run: j.Sites.Pulse},
		{Name: "cron", Every: time.Minute, Run: j.Sites.CronFaults},
		{Name: "access-rules", Every: time.Minute, Run: j.Sites.AccessRules},
		{Name: "measure", Every: 10 * time.Minute, Run: j.Sites.MeasureDisk},
		{Name: "bin", Every: time.Hour, Run: j.Sites.EmptyBin},
		{Name: "backups", Every: 5 * time.Minute, Run: w.ifCurrent(j.Backups.Ask)},
		{Name: "tries", Every: 5 * time.Second, Run: j.Egress.Ingest},
		{Name: "outflow", Every: time.Minute, Run: j.Egress.CheckVolume},
		{Name: "old-tries", Every: time.Hour, Run: j.Egress.Prune},
		{Name: "findings", Every: time.Hour, Run: w.Findings.Prune},
		// After the directory's answer (members, below) nobody keeps a session inside a site longer than this.
		{Name: "entrants", Every: 10 * time.Second, Run: w.ifCurrent(j.Entrants.Publish)},
		{Name: "site-accounts", Every: 30 * time.Second, Limit: 10 * time.Minute, Run: w.ifCurrent(j.Entrants.Survey)},
		{Name: "mail", Every: 2 * time.Second, Run: j.Spools.IngestMail},
		{Name: "mail-watch", Every: time.Minute, Run: j.Mail.Check},
		{Name: "mail-memory", Every: time.Hour, Run: j.Mail.Prune},
		{Name: "history", Every: time.Hour, Run: w.pruneHistory},
		{Name: "spools", Every: time.Minute, Run: j.Spools.ReportBadFiles},
		{Name: "certificate", Every: time.Hour, Run: j.Certificate},
		{Name: "audit-seal", Every: 5 * time.Second, Limit: 10 * time.Minute, Run: j.Audit.Writer.AppendNew}, // the limit is for an upgrade's first round
		{Name: "audit-look", Every: 24 * time.Hour, Limit: time.Hour, Run: j.Audit.Daily},
	}
	if w.Realm == nil {
		return list
	}
	return append(list,
		// With the time one round takes, nobody keeps a right for five minutes that the directory took away.
		schedule.Job{Name: "members", Every: 4 * time.Minute, Run: w.mirrorMembers},
		schedule.Job{Name: "realm", Every: 6 * time.Hour, Run: w.Realm.Ensure})
}

func (w *Worker) heartbeat(ctx context.Context) error {
	return w.Records.Heartbeat(ctx, w.Sites.Runner.Owner, w.Jobs.Monitor.RestartCommand())
}

// mirrorMembers copies everybody's rights and records when all of it succeeded: users of the copy need its age.
func (w *Worker) mirrorMembers(ctx context.Context) error {
	if err := w.Jobs.Sites.MirrorMembers(ctx); err != nil {
		return err
	}
	return w.Records.NoteRights(ctx, w.Sites.Runner.Owner)
}

// historyRetention is how long ended operations are stored.
const historyRetention = 90 * 24 * time.Hour

func (w *Worker) pruneHistory(ctx context.Context) error {
	return w.Records.PruneHistory(ctx, w.Now().Add(-historyRetention))
}
