package wire

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"chatiere/cmd/internal/catalogue"
	"chatiere/cmd/internal/config"
	"chatiere/panel"
	"chatiere/panel/api"
	"chatiere/panel/assets"
	"chatiere/panel/auth"
	panelmysql "chatiere/panel/mysql"
	"chatiere/panel/views"
	"chatiere/tenants"
	"chatiere/tenants/egressgrant"
	"chatiere/tenants/identity"
	"chatiere/tenants/identity/assertion"
	"chatiere/tenants/mysql"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
	"chatiere/tenants/worker"
)

// Panel runs the panel until ctx ends. It starts even if the database, the issuer or the worker is down.
func Panel(ctx context.Context, c config.Config, log *slog.Logger) error {
	store, err := openStore(c, c.Database.PanelUser, c.Secret(config.SecretDBPanel), log)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	o, err := panelOptions(c, store, log)
	if err != nil {
		return err
	}
	s, err := panel.New(o)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

func panelOptions(c config.Config, store *mysql.Store, log *slog.Logger) (panel.Options, error) {
	identity, err := panelIdentity(c)
	if err != nil {
		return panel.Options{}, err
	}
	key, err := c.Secret(config.SecretSessionKey).Reveal()
	if err != nil {
		return panel.Options{}, err
	}
	entries, err := entryIssuer(c)
	if err != nil {
		return panel.Options{}, err
	}
	known, err := loadCatalogue(c, nil)
	if err != nil {
		return panel.Options{}, err
	}
	static, err := assets.Load()
	if err != nil {
		return panel.Options{}, err
	}
	pages, err := views.New(static, c.Now)
	if err != nil {
		return panel.Options{}, err
	}
	w := panelWorker{worker.NewClient(c.Paths().WorkerPanelSocket())}
	desk := &provision.Provisioner{
		Records: store, Queue: store, Registry: (&provision.Plans{}).Registry(), Catalogue: known, Hosts: hosts(c),
		Now: c.Now, Nudge: w.Nudge,
	}
	reachable := tenants.NamePolicy{Platform: c.PlatformHosts()}
	return panel.Options{
		PublicURL: c.PanelURL(), Coop: panel.Coop{Name: c.Coop.Name, Contact: c.Coop.Contact},
		Sites: panel.SiteSettings{
			Domain: c.Domain, Port: c.PublicPort, Instance: c.Instance, DataRoot: c.Root, MemoryMiB: c.Sites.MemoryMiB, MailHourly: mailHourly(c),
		},
		Sockets: panel.Sockets{Edge: c.Paths().PanelSocket(), Local: c.Paths().CLISocket()},
		SignIn: panel.SignInSettings{
			Identity: identity, AccountURL: c.Identity.Issuer + "/account", SessionKey: []byte(key), Limits: sessionLimits(c),
			People: store, Store: panelmysql.New(store.DB), Identities: identities(c, w),
		},
		Entry:   panel.EntrySettings{Issuer: entries, Former: formerIdentities(c)},
		Records: panelRecords{store, c.Now}, Provisioner: desk, Catalogue: panelCatalogue{known}, Doctor: w, Monitor: w,
		Grants:     &egressgrant.Requests{Records: store, Reachable: reachable, Now: time.Now, Nudge: w.ListsChanged},
		NamePolicy: reachable, PastPivot: pastPivot(desk.Registry), Views: pages, Assets: static, Log: log, Now: c.Now,
	}, nil
}

// sessionLimits are the configured ones of sessions.
func sessionLimits(c config.Config) auth.Limits {
	return auth.Limits{Idle: time.Duration(c.Sessions.IdleMinutes) * time.Minute, Absolute: time.Duration(c.Sessions.Hours) * time.Hour}
}

// identities returns the worker if it administers the realm; otherwise nobody can end sessions there.
func identities(c config.Config, w panelWorker) panel.Identities {
	if !administered(c) {
		return nil
	}
	return w
}

// pastPivot reports for the pages whether an operation cannot be cancelled any more.
func pastPivot(plans *operations.Registry) func(operations.Operation) bool {
	return func(op operations.Operation) bool {
		plan, err := plans.Plan(op.Kind, op.PlanVersion)
		return err != nil || plan.PastPivot(op)
	}
}

func panelIdentity(c config.Config) (identity.Settings, error) {
	secret, err := c.Secret(config.SecretOIDCPanel).Reveal()
	if err != nil {
		return identity.Settings{}, err
	}
	return identity.Settings{
		Issuer: c.Identity.Issuer, ClientID: c.Identity.ClientID, ClientSecret: secret,
		Rights: identity.RightsFrom(c.Identity.Rights),
		Client: edgeClient(c, c.Paths().PanelEdgeSocket()),
	}, nil
}

// panelRecords adapts the store to the panel: the list of sites, and the worker's heartbeat by the panel's clock.
type panelRecords struct {
	*mysql.Store
	now func() time.Time
}

// WorkerSeen converts the time from the database's clock, which wrote it: the panel's may be an hour off.
func (r panelRecords) WorkerSeen(ctx context.Context) (time.Time, error) {
	seen, err := r.Store.WorkerSeen(ctx)
	if err != nil {
		return seen, err
	}
	clock, err := r.Clock(ctx)
	return r.now().Add(-clock.Sub(seen)), err
}

func (r panelRecords) Sites(ctx context.Context, associationIDs []string, states []tenants.SiteState, search string) ([]tenants.Site, error) {
	return r.Store.Sites(ctx, mysql.SiteFilter{AssociationIDs: associationIDs, States: states, Search: search})
}

// panelCatalogue adapts the catalogue to the panel.
type panelCatalogue struct{ *catalogue.Catalogue }

// Templates lists the templates for new sites. One that cannot be read is omitted; the worker logs it.
func (s panelCatalogue) Templates() []panel.Template {
	var out []panel.Template
	for _, name := range s.Names() {
		m, err := s.Manifest(name)
		if err != nil {
			continue
		}
		out = append(out, panel.Template{Name: name, Title: m.Title[views.French], Version: m.Default, Summary: m.Description, Modes: m.Modes, Entry: m.Entry.Path})
	}
	return out
}

// AllowedNames returns what a site may reach without a grant.
func (s panelCatalogue) AllowedNames(x tenants.Site) []panel.AllowedName {
	var out []panel.AllowedName
	if m, err := s.Manifest(x.Template); err == nil {
		for _, n := range m.Egress {
			out = append(out, panel.AllowedName{Name: n.Name, Ports: n.Ports})
		}
	}
	for _, n := range s.Everywhere() {
		out = append(out, panel.AllowedName{Name: n.Name, Ports: n.Ports, Coop: true})
	}
	return out
}

// formerIdentities returns people's identities in a former realm, by their subject in this one.
func formerIdentities(c config.Config) map[string][]assertion.Identity {
	out := map[string][]assertion.Identity{}
	for _, entry := range c.Identity.Former {
		if issuer, subject, now, ok := config.FormerIdentity(entry); ok {
			out[now] = append(out[now], assertion.Identity{Issuer: issuer, Subject: subject})
		}
	}
	return out
}

// mailHourly is the sites' quota for the pages; 0 without a mail server.
func mailHourly(c config.Config) int {
	if c.Mail.Smarthost == "" {
		return 0
	}
	return c.Mail.Hourly
}

// panelWorker adapts the worker's client to the panel.
type panelWorker struct{ worker.Client }

// Examine asks the worker's doctor; if the worker does not answer, that is the diagnosis.
func (w panelWorker) Examine(ctx context.Context) (api.Diagnosis, error) {
	var d api.Diagnosis
	err := w.Client.Examine(ctx, &d)
	if errors.Is(err, tenants.ErrUnavailable) {
		return api.Diagnosis{Checks: []api.Check{{
			Name: "worker", State: api.CheckRed, Found: err.Error(),
			Advice: "The worker does not answer: sites go on, but nothing is made, changed or repaired. Start it: docker start chatiere-…-worker, or run make demo again.",
		}}}, nil
	}
	if err != nil {
		return d, err
	}
	d.Checks = append([]api.Check{{Name: "worker", State: api.CheckGreen, Found: "answers"}}, d.Checks...)
	return d, nil
}
