package wire

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"chatiere/cmd/internal/catalogue"
	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/egresslog"
	"chatiere/cmd/internal/records"
	"chatiere/cmd/internal/render"
	"chatiere/cmd/internal/schedule"
	"chatiere/reverseproxy/upstream/sockets"
	"chatiere/tenants"
	"chatiere/tenants/dbguard"
	"chatiere/tenants/disk"
	"chatiere/tenants/diskguard"
	"chatiere/tenants/docker"
	"chatiere/tenants/entrants"
	"chatiere/tenants/findings"
	"chatiere/tenants/freeze"
	"chatiere/tenants/jobs"
	"chatiere/tenants/keycloak"
	"chatiere/tenants/mysql"
	"chatiere/tenants/operations"
	"chatiere/tenants/platform"
	"chatiere/tenants/probe"
	"chatiere/tenants/provision"
	"chatiere/tenants/recovery"
	"chatiere/tenants/sitedb"
)

// Worker executes operations and jobs: it alone has Docker's socket and the data root.
type Worker struct {
	config        config.Config
	log           *slog.Logger
	store         *mysql.Store
	recent        *recentSites
	findings      *findings.Store // shared by all checkers
	engine        *docker.Engine
	databases     *sitedb.Server
	keycloak      *keycloak.Client // nil: an external realm gave us no account to administer it
	catalogue     *catalogue.Catalogue
	disk          *disk.Disk
	plans         *provision.Plans
	registry      *operations.Registry
	runner        *operations.Runner
	reconciler    *provision.Reconciler
	siteJobs      *jobs.Jobs
	entrants      *entrants.Keeper
	monitor       *platform.Monitor
	dirtySites    *dirtySites
	diskGuard     *diskguard.Guard
	databaseGuard *dbguard.Guard
	provisioner   *provision.Provisioner
	auditKeeper   *auditKeeper
	lists         *render.Egress // what sites may reach
	listsDue      chan struct{}  // holds one entry while lists have to be renewed
	egressLog     *egresslog.Ingester
	board         schedule.Board
	guard         *records.Guard
	now           func() time.Time
	refusal       atomic.Pointer[error] // why the records are refused
	ready         atomic.Bool           // at work
	escapes       atomic.Pointer[bool]  // whether our Keycloak escapes slashes in names of groups; nil: not tried yet
	end           context.CancelCauseFunc
}

// NewWorker builds the graph. It connects to nothing yet.
func NewWorker(ctx context.Context, c config.Config, log *slog.Logger) (*Worker, error) {
	w := &Worker{config: c, log: log, now: c.Now}
	for _, build := range []func(context.Context) error{w.openDatabases, w.openEngine, w.openKeycloak, w.openEgress, w.plan} {
		if err := build(ctx); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *Worker) openDatabases(ctx context.Context) (err error) {
	c := w.config
	if w.store, err = openStore(ctx, c, c.Database.WorkerUser, c.Secret(config.SecretDBWorker), w.log); err != nil {
		return err
	}
	w.recent = &recentSites{Store: w.store}
	w.findings = &findings.Store{Records: w.store, Now: w.now, Log: w.log}
	password, err := c.Secret(config.SecretDBSites).Reveal()
	if err != nil {
		return err
	}
	w.databases, err = sitedb.Open(sitedb.Options{
		Socket: c.SitesDatabase.Socket, User: c.SitesDatabase.AdminUser, Password: password, Instance: c.Instance,
		Temporary: w.temporaryTables, Log: w.log,
	})
	return err
}

func (w *Worker) openEngine(context.Context) (err error) {
	w.engine, err = docker.New(docker.Options{Host: w.config.Docker.Host, Instance: w.config.Instance, Log: w.log})
	if err != nil {
		return err
	}
	entry, err := entryKey(w.config)
	if err != nil {
		return err
	}
	w.disk = disk.New(disk.Options{
		Root: w.config.Root, ProxyGID: config.ProxyGID, GatewayUID: config.GatewayUID, DatabaseUID: config.MariaDBUID,
		Reserve: int64(w.config.Disk.ReserveMiB) << 20, Entry: entry,
	})
	w.catalogue, err = loadCatalogue(w.config, w.engine)
	return err
}

func (w *Worker) openKeycloak(context.Context) (err error) {
	if administered(w.config) {
		w.keycloak, err = keycloakClient(w.config)
	}
	return err
}

// drain is ample for a request between the look at the route table and the connection, on a busy machine too.
const drain = 3 * time.Second

func (w *Worker) plan(context.Context) error {
	c, p := w.config, w.config.Paths()
	public := probe.Public{Edge: p.WorkerEdgeSocket(), Port: c.PublicPort, Roots: func() *x509.CertPool { return roots(c) },
		Name: "chatiere-table." + c.Domain}
	w.plans = &provision.Plans{
		Instance: c.Instance, Language: c.Language, Records: w.store, Databases: w.databases, Disk: w.disk,
		Groups: w.groups(), Engine: w.engine, Templates: w.catalogue,
		Private: w.privateProbe(),
		Public:  public,
		Routes: &render.Routes{
			Path: p.Routes(), PublicPort: c.PublicPort, Language: c.Language, Domain: c.Domain, Platform: platformRoutes(c),
			Sites: w.store, Socket: p.AppSocket, Refuse: w.catalogue.Refuse, Now: w.now, Serving: public.Table,
		},
		Egress: w.lists,
		Now:    w.now, Log: w.log, Drain: drain,
	}
	w.registry = w.plans.Registry()
	owner, err := os.Hostname()
	if err != nil {
		owner = "worker"
	}
	w.runner = &operations.Runner{Store: w.store, Registry: w.registry, Owner: owner, Log: w.log, Now: w.now}
	addFailpoints(w.runner, w.log)
	w.reconciler = &provision.Reconciler{
		Plans: w.plans, Queue: w.store, Registry: w.registry, Inventory: w.inventory(), Nudge: w.runner.Nudge, Findings: w.findings,
		Silent: func(siteID string) time.Time { return w.siteJobs.SilentSince(siteID) },
	}
	w.provisioner = &provision.Provisioner{
		Records: w.store, Queue: w.store, Registry: w.registry, Catalogue: w.catalogue, Hosts: hosts(c), Now: w.now,
		Nudge: w.runner.Nudge,
	}
	w.siteJobs = w.newJobs()
	w.entrants = &entrants.Keeper{Issuer: c.Identity.Issuer, Records: w.recent, Files: w.disk, Hooks: w.plans, Now: w.now, Log: w.log}
	w.dirtySites = newDirtySites()
	w.monitor = w.newMonitor()
	w.diskGuard = w.newDiskGuard()
	w.databaseGuard = w.newDatabaseGuard()
	w.auditKeeper = w.newAuditKeeper()
	return nil
}

func (w *Worker) newDiskGuard() *diskguard.Guard {
	f := w.freezer(tenants.AreaDisk, tenants.FindingSiteFrozen)
	f.Also = []tenants.FindingCode{tenants.FindingReserve}
	return &diskguard.Guard{
		Disk: w.disk, Records: w.store, Freezer: f, Reserve: int64(w.config.Disk.ReserveMiB) << 20, Now: time.Now, Log: w.log,
	}
}

// freezer stops sites that harm others, for one reason.
func (w *Worker) freezer(area tenants.Area, code tenants.FindingCode) *freeze.Freezer {
	return &freeze.Freezer{
		Records: w.store, Requests: w.provisioner, Findings: w.findings, Area: area, Code: code, Now: time.Now, Log: w.log,
		Stop: func(ctx context.Context, s tenants.Site) error {
			if err := w.guard.Check(ctx); err != nil {
				return err // do not stop sites because of records that are not ours
			}
			return w.plans.Halt(ctx, s)
		},
	}
}

// openEgress builds the egress lists and the ingester of egress attempts.
func (w *Worker) openEgress(context.Context) error {
	p := w.config.Paths()
	w.lists = &render.Egress{Dir: p.EgressDir(), Allow: allowLists(w.catalogue, w.store), Site: w.store.Site,
		Senders: sendersOf(w.config.Mail, w.store)}
	w.listsDue = make(chan struct{}, 1)
	w.egressLog = &egresslog.Ingester{Dir: p.GatewaySpool(), ProxyDir: p.ProxySpool(), Records: w.store, Findings: w.findings, Now: w.now, Log: w.log}
	return nil
}

// inventory gives the reconciler access to everything that exists.
func (w *Worker) inventory() provision.Inventory {
	s := provision.Inventory{Homes: w.disk, Databases: w.databases, Egress: w.lists}
	if w.keycloak != nil {
		s.Groups = groupList{w.keycloak}
	}
	return s
}

// privateProbe probes sites over their own sockets.
func (w *Worker) privateProbe() probe.Private {
	return probe.Private{Port: w.config.PublicPort, Dial: func(ctx context.Context, s tenants.Site) (net.Conn, error) {
		return sockets.Dial(ctx, w.config.Paths().AppSocket(s.ID, s.Release.Sockets))
	}}
}

func (w *Worker) newJobs() *jobs.Jobs {
	return &jobs.Jobs{
		Records: w.recent, Private: w.plans.Private, Files: w.disk, Databases: w.databases, Directory: keycloakGroups{w.keycloak},
		Hooks: w.plans, Bin: w.provisioner, Now: w.now, Log: w.log, Sites: w.privateProbe(), Findings: w.findings,
		Definition: w.plans.Definition,
	}
}

// Run runs until ctx ends, then releases its leases. It waits for the lock that excludes a second worker on the same data
// root, for the database, and for records that belong to this data root.
func (w *Worker) Run(ctx context.Context) error {
	unlock, err := w.lockDataRoot(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := w.platformFiles(); err != nil {
		return err
	}
	controls := w.controlSockets()
	listeners, err := listenControls(controls, w.log)
	if err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	var parts sync.WaitGroup
	keep := func(what string, part func(context.Context)) {
		parts.Go(func() { recovery.Keep(ctx, w.log, what, part) })
	}
	parts.Go(func() { // first: the doctor reports what the worker waits for
		defer recovery.Log(w.log, "serving panel and root")
		w.serve(ctx, controls, listeners)
	})
	// The monitor starts before anything that waits for the database, which may be the container that is gone. On a new data
	// root it starts later: a second worker started there by mistake must not repair the first one's containers.
	var watching sync.Once
	watch := func() { watching.Do(func() { keep("watching the platform", w.monitor.Run) }) }
	if w.hasWorked() {
		watch()
	}
	err = w.awaitMatchingRecords(ctx)
	if err == nil {
		err = w.prepare(ctx)
	}
	if err != nil {
		end(err)
		parts.Wait()
		return err
	}
	watch()
	w.end, w.runner.Store = end, fencedStore{w.store, w.guard, end, w.disk}
	keep("pinging the engine", func(ctx context.Context) { end(watchEngine(ctx, w.enginePing)) })
	keep("executing operations", w.runner.Run)
	keep("running recurring jobs", w.runRecurring)
	keep("running scheduled tasks", w.siteJobs.RunCron)
	keep("checking sites with events", func(ctx context.Context) { w.dirtySites.run(ctx, w.checkSites) })
	keep("renewing egress lists", w.renewLists)
	w.ready.Store(true)
	w.log.Info("worker ready")
	parts.Wait()
	if err := context.Cause(ctx); errors.Is(err, errEngineSilent) || isMismatch(err) {
		return err
	}
	return nil
}

// prepare brings schema, certificate and tables up to date, and takes over from a predecessor.
func (w *Worker) prepare(ctx context.Context) error {
	if err := w.migrate(ctx); err != nil {
		return err
	}
	if err := w.removeUnfinished(); err != nil {
		return fmt.Errorf("removing unfinished files of a predecessor: %w", err)
	}
	w.guard = w.newRecordsGuard(w.store)
	if err := w.guard.Begin(ctx); err != nil {
		return err
	}
	if err := reserveUIDs(ctx, w.disk, w.store, w.config.Sites.FirstUID, w.config.Sites.LastUID); err != nil {
		return err
	}
	if err := w.databaseSockets(ctx); err != nil {
		return err
	}
	w.recordReleases(ctx)
	if err := w.distributeEntryKey(ctx); err != nil {
		return err
	}
	n, err := w.store.RevokeLeases(ctx)
	if err != nil {
		return fmt.Errorf("revoking a predecessor's leases: %w", err)
	}
	if n > 0 {
		w.log.Warn("a predecessor left operations unfinished; taking over", "operations", n)
	}
	// A killed worker that refused these records could not end its finding; one that still does reports it again.
	if err := w.findings.Replace(ctx, tenants.FindingScope{Area: tenants.AreaRecords}, nil); err != nil {
		return err
	}
	return w.plans.Routes.Publish(ctx)
}

// Work runs the worker until ctx ends.
func Work(ctx context.Context, c config.Config, log *slog.Logger) error {
	w, err := NewWorker(ctx, c, log)
	if err != nil {
		return err
	}
	return w.Run(ctx)
}
