package wire

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"chatiere/backups"
	"chatiere/backups/process"
	"chatiere/backups/sites"
	"chatiere/cmd/internal/catalogue"
	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/doctor"
	"chatiere/cmd/internal/egresslog"
	"chatiere/cmd/internal/render"
	"chatiere/cmd/internal/spools"
	"chatiere/migrations"
	"chatiere/reverseproxy/atomicfile"
	"chatiere/reverseproxy/certs"
	"chatiere/reverseproxy/egress"
	"chatiere/reverseproxy/upstream/sockets"
	"chatiere/templates"
	"chatiere/tenants"
	"chatiere/tenants/audit"
	"chatiere/tenants/dbguard"
	"chatiere/tenants/dbguard/deathlog"
	"chatiere/tenants/disk"
	"chatiere/tenants/diskguard"
	"chatiere/tenants/docker"
	"chatiere/tenants/entrants"
	"chatiere/tenants/findings"
	"chatiere/tenants/freeze"
	"chatiere/tenants/jobs"
	"chatiere/tenants/keycloak"
	"chatiere/tenants/keycloak/directory"
	"chatiere/tenants/mailcheck"
	"chatiere/tenants/mysql"
	"chatiere/tenants/operations"
	"chatiere/tenants/platform"
	"chatiere/tenants/probe"
	"chatiere/tenants/provision"
	"chatiere/tenants/records"
	"chatiere/tenants/sitedb"
	"chatiere/tenants/worker"
)

// Work runs the worker until ctx ends.
func Work(ctx context.Context, c config.Config, log *slog.Logger) error {
	w, err := newWorker(ctx, c, log)
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

// graph is what the worker's parts are made of.
type graph struct {
	config    config.Config
	log       *slog.Logger
	store     *mysql.Store
	recent    *mysql.RecentSites
	findings  *findings.Store
	guard     *records.Guard
	engine    *docker.Engine
	catalogue *catalogue.Catalogue
	databases *sitedb.Server
	disk      *disk.Disk
	keycloak  *keycloak.Client // nil: an external realm gave us no account to administer it
	realm     *directory.Realm // nil with keycloak

	plans       *provision.Plans
	runner      *operations.Runner
	provisioner *provision.Provisioner
	jobs        *jobs.Jobs
	zone        *time.Location // of the co-op's days and nights
}

// newWorker builds the worker. It connects to nothing yet.
func newWorker(ctx context.Context, c config.Config, log *slog.Logger) (*worker.Worker, error) {
	g := &graph{config: c, log: log}
	for _, open := range []func(context.Context) error{g.openRecords, g.openEngine, g.openDatabases, g.openKeycloak} {
		if err := open(ctx); err != nil {
			return nil, err
		}
	}
	lists := &render.Egress{
		Dir: c.Paths().EgressDir(), Allow: allowLists(g.catalogue, g.store), Site: g.store.Site, Senders: sendersOf(c.Mail, g.store),
	}
	if err := g.plan(lists); err != nil {
		return nil, err
	}
	p := c.Paths()
	w := &worker.Worker{
		Root: worker.DataRoot{
			Lock: p.WorkerLock(), SiteFiles: siteFiles(c.Root), Unfinished: unfinished(p),
			Mark: records.File{Path: p.RecordsMark()}, Consent: records.Consent{Path: p.RecordsConsent()},
		},
		Control: worker.Control{PanelSocket: p.WorkerPanelSocket(), PanelUID: config.PanelUID, RootSocket: p.WorkerSocket()},
		Records: g.store, Database: g.openSchema, Guard: g.guard, Findings: g.findings, Disk: g.disk,
		Engine: worker.Engine{Host: c.Docker.Host, Client: g.engine},
		Sites: worker.Sites{
			Runner: g.runner, Plans: g.plans, Reconciler: g.reconciler(lists), Lists: lists,
			FirstUID: c.Sites.FirstUID, LastUID: c.Sites.LastUID,
		},
		Jobs: g.recurring(), Now: c.Now, Log: log,
	}
	if g.realm != nil {
		w.Realm = g.realm
	}
	w.Control.Examine = func(ctx context.Context) (any, error) { return g.doctor(w).Examine(ctx) }
	return w, nil
}

func (g *graph) openRecords(ctx context.Context) (err error) {
	c := g.config
	if g.store, err = openStore(c, c.Database.WorkerUser, c.Secret(config.SecretDBWorker), g.log); err != nil {
		return err
	}
	g.recent = &mysql.RecentSites{Store: g.store}
	g.findings = &findings.Store{Records: g.store, Now: c.Now, Log: g.log}
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	g.guard = &records.Guard{Database: g.store, File: records.File{Path: c.Paths().RecordsMark()}, Host: host, Now: c.Now}
	return nil
}

func (g *graph) openEngine(context.Context) (err error) {
	c := g.config
	if g.engine, err = docker.New(docker.Options{Host: c.Docker.Host, Instance: c.Instance, Log: g.log}); err != nil {
		return err
	}
	entry, err := entryKey(c)
	if err != nil {
		return err
	}
	g.disk = disk.New(disk.Options{
		Root: c.Root, ProxyGID: config.ProxyGID, GatewayUID: config.GatewayUID, DatabaseUID: config.MariaDBUID,
		Reserve: int64(c.Disk.ReserveMiB) << 20, Entry: entry,
	})
	g.catalogue, err = loadCatalogue(c, g.engine)
	return err
}

func (g *graph) openDatabases(context.Context) error {
	c := g.config
	password, err := c.Secret(config.SecretDBSites).Reveal()
	if err != nil {
		return err
	}
	g.databases, err = sitedb.Open(sitedb.Options{
		Socket: c.SitesDatabase.Socket, User: c.SitesDatabase.AdminUser, Password: password, Instance: c.Instance,
		Temporary: g.temporaryTables, Log: g.log,
	})
	return err
}

func (g *graph) openKeycloak(context.Context) (err error) {
	c := g.config
	if !administered(c) {
		return nil
	}
	if g.keycloak, err = Keycloak(c); err != nil {
		return err
	}
	g.realm = &directory.Realm{
		Client: g.keycloak, GroupRights: c.Identity.Rights == config.RightsGroups, Log: g.log,
		Wanted: keycloak.Realm{Shared: c.Identity.External, Name: c.Coop.Name, PanelClient: c.Identity.ClientID, PanelURL: c.PanelURL()},
	}
	return nil
}

// schema is the records' database as the user that may change its schema.
type schema struct {
	*mysql.Store
	g *graph
}

func (g *graph) openSchema(ctx context.Context) (worker.Schema, error) {
	c := g.config
	store, err := openStore(c, c.Database.MigrateUser, c.Secret(config.SecretDBMigrate), g.log)
	return schema{store, g}, err
}

// Migrate implements worker.Schema.
func (s schema) Migrate(ctx context.Context) error {
	c := s.g.config
	if err := migrations.Up(ctx, s.Pool(), s.g.log); err != nil {
		return fmt.Errorf("migrating the database: %w", err)
	}
	users := migrations.Users{Panel: c.Database.PanelUser, Worker: c.Database.WorkerUser}
	if err := migrations.Grant(ctx, s.Pool(), c.Database.Name, users); err != nil {
		return fmt.Errorf("granting rights: %w", err)
	}
	return nil
}

// siteFiles are the files that every site's container mounts.
func siteFiles(root string) map[string]string {
	paths := templates.PathsUnder(root, "")
	return map[string]string{paths.Resolv: templates.ResolvConf, paths.Hosts: templates.HostsFile}
}

// unfinished are patterns of the temporary files of those that the worker replaces.
func unfinished(p config.Paths) []string {
	return []string{
		atomicfile.Unfinished(p.Egress("*")),
		atomicfile.Unfinished(p.Routes()),
		atomicfile.Unfinished(p.RecordsMark()),
		atomicfile.Unfinished(p.Platform()),
		atomicfile.Unfinished(p.DatabaseDeaths()),
		atomicfile.Unfinished(filepath.Join(p.AuditDir(), "*")),
	}
}

// drain is ample for a request between the look at the route table and the connection, on a busy machine too.
const drain = 3 * time.Second

// plan builds what makes sites, and the jobs for them.
func (g *graph) plan(lists *render.Egress) error {
	c, p := g.config, g.config.Paths()
	public := probe.Public{
		Edge: p.WorkerEdgeSocket(), Port: c.PublicPort, Roots: func() *x509.CertPool { return roots(c) },
		Name: "chatiere-table." + c.Domain,
	}
	private := probe.Private{Port: c.PublicPort, Dial: func(ctx context.Context, s tenants.Site) (net.Conn, error) {
		return sockets.Dial(ctx, p.AppSocket(s.ID, s.Release.Sockets))
	}}
	saved, err := g.backups()
	if err != nil {
		return err
	}
	g.plans = &provision.Plans{
		Instance: c.Instance, Language: c.Language, Records: g.store, Databases: g.databases, Disk: g.disk,
		Groups: directory.None{}, Engine: g.engine, Backups: saved, Templates: g.catalogue, Private: private, Public: public,
		Routes: &render.Routes{
			Path: p.Routes(), PublicPort: c.PublicPort, Language: c.Language, Domain: c.Domain, Platform: platformRoutes(c),
			Sites: g.store, Socket: p.AppSocket, Refuse: g.catalogue.Refuse, Now: c.Now, Serving: public.Table,
		},
		Egress: lists, Now: c.Now, Log: g.log, Drain: drain,
	}
	if g.keycloak != nil {
		g.plans.Groups = directory.Directory{Client: g.keycloak}
	}
	registry := g.plans.Registry()
	g.runner = &operations.Runner{Store: g.store, Registry: registry, Owner: g.guard.Host, Log: g.log, Now: c.Now}
	addFailpoints(g.runner, g.log)
	g.provisioner = &provision.Provisioner{
		Records: g.store, Queue: g.store, Registry: registry, Catalogue: g.catalogue, Hosts: hosts(c), Now: c.Now, Nudge: g.runner.Nudge,
	}
	g.jobs = &jobs.Jobs{
		Records: g.recent, Private: private, Files: g.disk, Databases: g.databases, Directory: directory.Directory{Client: g.keycloak},
		Hooks: g.plans, Bin: g.provisioner, Now: c.Now, Log: g.log, Sites: private, Findings: g.findings, Definition: g.plans.Definition,
	}
	return nil
}

// backupVerb is the command of the process that works on a repository.
const backupVerb = "backup-process"

// backups builds what saves and restores the data of sites.
func (g *graph) backups() (*sites.Backups, error) {
	c, p := g.config, g.config.Paths()
	password, err := c.Secret(config.SecretDBSites).Reveal()
	if err != nil {
		return nil, err
	}
	if g.zone, err = time.LoadLocation("Europe/Paris"); err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := []string{program, backupVerb}
	return &sites.Backups{
		Repositories: p.Backups(), Sites: p.SitesDir(), Key: c.Secret(config.SecretBackupKey).Reveal,
		Databases: &sitedb.Dumper{
			Server: g.databases, Engine: g.engine, Container: "chatiere-" + c.Instance + "-mariadb-sites",
			User: c.SitesDatabase.AdminUser, Password: password,
		},
		Nightly: process.Runner{Command: command, Idle: true}, Waiting: process.Runner{Command: command},
		Retention: backups.DefaultRetention, Zone: g.zone,
	}, nil
}

func (g *graph) reconciler(lists *render.Egress) *provision.Reconciler {
	r := &provision.Reconciler{
		Plans: g.plans, Queue: g.store, Registry: g.runner.Registry, Nudge: g.runner.Nudge, Findings: g.findings, Silent: g.jobs.SilentSince,
		Inventory: provision.Inventory{Homes: g.disk, Databases: g.databases, Egress: lists},
	}
	if g.keycloak != nil {
		r.Inventory.Groups = directory.Directory{Client: g.keycloak}
	}
	return r
}

func (g *graph) recurring() worker.Jobs {
	c, p := g.config, g.config.Paths()
	onFullDisk := g.freezer(tenants.AreaDisk, tenants.FindingSiteFrozen)
	onFullDisk.Also = []tenants.FindingCode{tenants.FindingReserve}
	checkpoints := audit.Checkpoints{Dir: p.AuditDir()}
	return worker.Jobs{
		Sites:    g.jobs,
		Backups:  &jobs.Backups{Records: g.store, Requests: g.provisioner, Zone: g.zone, Now: c.Now},
		Entrants: &entrants.Keeper{Issuer: c.Identity.Issuer, Records: g.recent, Files: g.disk, Hooks: g.plans, Now: c.Now, Log: g.log},
		Monitor: &platform.Monitor{
			Instance: c.Instance, Roles: platformRoles(c), Self: "worker", File: p.Platform(), ComposeEnv: p.ComposeEnv(),
			Engine: g.engine, Now: time.Now, Log: g.log,
		},
		DiskGuard: &diskguard.Guard{
			Disk: g.disk, Records: g.store, Freezer: onFullDisk, Reserve: int64(c.Disk.ReserveMiB) << 20, Now: time.Now, Log: g.log,
		},
		DatabaseGuard:  g.databaseGuard(),
		DatabaseRights: func(ctx context.Context) error { return g.databases.GrantTemporary(ctx, g.temporaryTables) },
		Audit: &audit.Keeper{
			Writer: &audit.ChainWriter{Records: g.store, Checkpoints: checkpoints, Now: c.Now, Log: g.log},
			Source: g.store, Checkpoints: checkpoints, Keep: time.Duration(c.Audit.KeepDays) * 24 * time.Hour, Now: c.Now,
			OpenPrunable: func(ctx context.Context) (audit.PrunableLog, error) {
				return openStore(c, c.Database.MigrateUser, c.Secret(config.SecretDBMigrate), g.log)
			},
		},
		Mail:   &mailcheck.Checker{Records: g.store, Findings: g.findings, Relay: c.Mail.Smarthost != "", Now: c.Now},
		Egress: &egresslog.Ingester{Dir: p.GatewaySpool(), ProxyDir: p.ProxySpool(), Records: g.store, Findings: g.findings, Now: c.Now, Log: g.log},
		Spools: &spools.Spools{
			Proxy: p.ProxySpool(), Mail: p.MailQueue(), Records: g.store, Findings: g.findings, Suspect: g.jobs.Suspect, Now: c.Now, Log: g.log,
		},
		Certificate: g.renewCertificate,
	}
}

// freezer stops sites that harm others, for one reason.
func (g *graph) freezer(area tenants.Area, code tenants.FindingCode) *freeze.Freezer {
	return &freeze.Freezer{
		Records: g.store, Requests: g.provisioner, Findings: g.findings, Area: area, Code: code, Now: time.Now, Log: g.log,
		Stop: func(ctx context.Context, s tenants.Site) error {
			if err := g.guard.Check(ctx); err != nil {
				return err // do not stop sites because of records that are not ours
			}
			return g.plans.Halt(ctx, s)
		},
	}
}

// databaseGuard builds the guard of the database server that all sites share.
func (g *graph) databaseGuard() *dbguard.Guard {
	p := g.config.Paths()
	file := filepath.Join(p.SitesMariaDBData(), "data", "ibtmp1")
	return &dbguard.Guard{
		Server: checkedServer{g.databases, g.guard}, Records: g.store, Freezer: g.freezer(tenants.AreaDatabase, tenants.FindingDatabaseLocked),
		TemporarySize: func() (int64, error) {
			info, err := os.Stat(file)
			if err != nil {
				return 0, err
			}
			return info.Size(), nil
		},
		Temporary: g.temporaryTables, Now: time.Now, Log: g.log,
		Deaths: &deathlog.Log{Root: p.SitesMariaDBData(), Dir: "deaths", File: p.DatabaseDeaths(), Log: g.log},
	}
}

// checkedServer locks a user only while the records are this data root's.
type checkedServer struct {
	*sitedb.Server
	guard *records.Guard
}

// Lock implements dbguard.Server.
func (s checkedServer) Lock(ctx context.Context, name string) error {
	if err := s.guard.Check(ctx); err != nil {
		return err
	}
	return s.Server.Lock(ctx, name)
}

// temporaryTables reports whether the site with this database may make temporary tables: the configuration allows it for
// the site, or its template for all of them.
func (g *graph) temporaryTables(database string) bool {
	id := tenants.DatabaseSite(database)
	if slices.Contains(g.config.SitesDatabase.TemporaryTables, id) {
		return true
	}
	granting := func(template string) bool {
		m, err := g.catalogue.Manifest(template)
		return err == nil && m.Database.TemporaryTables
	}
	if !slices.ContainsFunc(g.catalogue.Names(), granting) {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s, err := g.store.Site(ctx, id)
	return err == nil && granting(s.Template)
}

// renewCertificate renews what the local authority signed.
func (g *graph) renewCertificate(context.Context) error {
	c, p := g.config, g.config.Paths()
	if c.TLS.Mode != config.TLSLocalCA {
		return nil
	}
	changed, err := certs.EnsureLocal(certs.Dirs{CA: p.CADir(), Leaf: p.CertsDir(), Group: config.ProxyGID}, c.CertificateDomains(), c.Now)
	if changed {
		g.log.Info("certificate renewed")
	}
	return err
}

// platformRoles are the roles that the configuration requires.
func platformRoles(c config.Config) []string {
	roles := []string{"proxy", "panel", "worker", "gateway", "mariadb", "mariadb-sites"}
	if !c.Identity.External {
		roles = append(roles, "keycloak")
	}
	return roles
}

// doctor builds the doctor, which runs in the worker because only the worker sees engine and data root.
func (g *graph) doctor(w *worker.Worker) doctor.Doctor {
	c := g.config
	names := append([]string{c.Domain}, c.PlatformHosts()...)
	local := !slices.ContainsFunc(names, func(n string) bool { return !strings.HasSuffix(n, ".localhost") })
	d := doctor.Doctor{
		Root: c.Root, Mounts: doctor.AllMounts, Engine: g.engine, Database: g.store, SitesDatabase: g.databases,
		Certificate: c.Paths().Wildcard(), Names: names, Shared: c.SharedName(), Resolve: net.DefaultResolver.LookupHost, Local: local,
		Permit: c.Egress.Permit, Senders: c.Mail.SendersOfAll(), Own: []string{c.Domain, c.Mail.Domain}, Now: c.Now,
		Synchronised: synchronised, Jobs: w.Outcomes, Audit: w.Jobs.Audit.State, Records: w.Refusal, Advice: records.Advice,
		Rights: c.Identity.Rights, Escapes: func() *bool { return nil },
	}
	if g.realm != nil {
		d.Identity, d.Escapes = g.keycloak, g.realm.Escapes
	}
	return d
}

// synchronised asks the kernel (adjtimex(2)) whether a time service adjusts its clock.
func synchronised() bool {
	state, err := unix.Adjtimex(&unix.Timex{})
	return err == nil && state != unix.TIME_ERROR
}

// allowLists converts what the catalogue allows and what was granted to the site to the gateway's types.
func allowLists(c *catalogue.Catalogue, grants interface {
	SiteGrants(ctx context.Context, siteID string) ([]tenants.EgressGrant, error)
}) func(context.Context, tenants.Site) ([]egress.AllowedName, error) {
	return func(ctx context.Context, s tenants.Site) ([]egress.AllowedName, error) {
		names, err := c.Allow(s)
		if err != nil {
			return nil, err
		}
		var out []egress.AllowedName
		for _, n := range names {
			out = append(out, egress.AllowedName{Name: n.Name, Ports: n.Ports})
		}
		own, err := grants.SiteGrants(ctx, s.ID)
		if err != nil {
			return nil, err
		}
		for _, a := range slices.Backward(own) { // the newest last: a list grows at its end
			if a.State == tenants.GrantGranted {
				out = append(out, egress.AllowedName{Name: a.Name, Ports: a.Ports})
			}
		}
		return out, nil
	}
}

// sendersOf returns the domains that a site may send mail from, beside its own name and those of all sites.
func sendersOf(m config.Mail, store *mysql.Store) func(context.Context, tenants.Site) ([]string, error) {
	return func(ctx context.Context, s tenants.Site) ([]string, error) {
		if len(m.SendersOfAll()) == len(m.Senders) {
			return nil, nil // for no association
		}
		a, err := store.Association(ctx, s.AssociationID)
		return m.SendersOf(a.Slug), err
	}
}
