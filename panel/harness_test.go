package panel_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chatiere/panel"
	"chatiere/panel/api"
	"chatiere/panel/assets"
	"chatiere/panel/auth/authtest"
	"chatiere/panel/views"
	"chatiere/tenants"
	"chatiere/tenants/egressgrant"
	"chatiere/tenants/identity"
	"chatiere/tenants/identity/assertion"
	"chatiere/tenants/identity/identitytest"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
	"chatiere/tenants/provision/provisiontest"
)

const (
	origin      = "https://panel.lilas.example"
	entrySecret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
)

type catalogue struct{}

func (catalogue) AllowedNames(tenants.Site) []panel.AllowedName {
	return []panel.AllowedName{{Name: "*.wordpress.org", Ports: []int{443}}, {Name: "smtp.lilas.example", Ports: []int{465, 587}, Coop: true}}
}

func (catalogue) Templates() []panel.Template {
	return []panel.Template{{Name: "wordpress", Title: "WordPress", Version: "1", Summary: map[string]string{"fr": "Un site.", "en": "A site."}, Modes: []string{"autonome"}, Entry: "/enter-here"}}
}

type doctor struct{}

func (doctor) Examine(context.Context) (api.Diagnosis, error) {
	return api.Diagnosis{Checks: []api.Check{{Name: "disk", State: api.CheckGreen, Found: "12 GiB"}}}, nil
}

// world is a running panel with everything behind it.
type world struct {
	t       *testing.T
	clock   *authtest.Clock
	issuer  *identitytest.Issuer
	store   *authtest.Store
	records *records
	desk    *provision.Provisioner
	server  *panel.Server
	options panel.Options
	log     *logBook
	watch   lookout
	edge    *http.Client
	local   *http.Client
	address atomic.Int64
	access  *egressgrant.Requests
	nudges  atomic.Int64 // of the worker, about lists
	stop    func()
}

// logBook keeps what was logged.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := stillWorld(t)
	w.run(http.StatusOK)
	return w
}

// stillWorld is one whose panel has not been started.
func stillWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: authtest.NewClock(), store: authtest.NewStore(), log: &logBook{}}
	w.issuer = identitytest.NewIssuer(t, w.clock.Now)
	w.records = &records{Records: provisiontest.NewRecords(w.clock.Now), people: w.store, workerSeen: w.clock.Now(), requests: map[string]int64{}}
	registry := provisiontest.NewWorld(w.records.Records).Plans(w.clock.Now).Registry()
	w.desk = &provision.Provisioner{
		Records: w.records, Queue: w.records.Records, Registry: registry, Catalogue: provisiontest.Templates{},
		Hosts: tenants.Hosts{Domain: "lilas.example", Platform: []string{"panel.lilas.example"}}, Now: w.clock.Now,
	}
	w.access = &egressgrant.Requests{
		Records: w.records, Reachable: tenants.NamePolicy{Platform: []string{"panel.lilas.example"}}, Now: w.clock.Now,
		Nudge: func() { w.nudges.Add(1) },
	}
	w.server = w.newServer(registry)
	return w
}

func (w *world) newServer(registry *operations.Registry) *panel.Server {
	static, err := assets.Load()
	must(w.t, err)
	pages, err := views.New(static, w.clock.Now)
	must(w.t, err)
	dir := w.sockets()
	entries, err := assertion.New(origin, entrySecret, w.clock.Now)
	must(w.t, err)
	w.options = panel.Options{
		PublicURL: origin, Coop: panel.Coop{Name: "Coop des Lilas", Contact: "contact@lilas.example"},
		Sites:   panel.SiteSettings{Domain: "lilas.example", Port: 8443, Instance: "test", DataRoot: "/var/lib/chatiere-test", MailHourly: 200},
		Sockets: panel.Sockets{Edge: filepath.Join(dir, "e"), Local: filepath.Join(dir, "l")},
		SignIn: panel.SignInSettings{
			Identity: identity.Settings{
				Issuer: w.issuer.URL, ClientID: w.issuer.ClientID, ClientSecret: w.issuer.Secret, Rights: identity.RightsGroups,
				Client: &http.Client{Timeout: 5 * time.Second},
			},
			SessionKey: []byte("0123456789abcdef0123456789abcdef"), People: w.store, Store: w.store,
		},
		Entry: panel.EntrySettings{
			Issuer: entries, Former: map[string][]assertion.Identity{"ana": {{Issuer: "https://old.example/realms/x", Subject: "6c1f"}}},
		},
		Heartbeat: 30 * time.Millisecond,
		Records:   w.records, Provisioner: w.desk, Grants: w.access, NamePolicy: w.access.Reachable, Catalogue: catalogue{},
		Doctor: doctor{}, Monitor: &w.watch,
		PastPivot: func(op operations.Operation) bool {
			plan, err := registry.Plan(op.Kind, op.PlanVersion)
			return err == nil && plan.PastPivot(op)
		},
		Views: pages, Assets: static, Now: w.clock.Now, Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	server, err := panel.New(w.options)
	must(w.t, err)
	return server
}

// again makes a panel that is not running yet anew, with the options as they are now, and runs it.
func (w *world) again() {
	w.t.Helper()
	var err error
	w.server, err = panel.New(w.options)
	must(w.t, err)
	w.run(http.StatusOK)
}

// sockets makes a directory with a path short enough for the kernel.
func (w *world) sockets() string {
	dir, err := os.MkdirTemp("", "cp")
	must(w.t, err)
	w.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w.edge, w.local = over(w.t, filepath.Join(dir, "e")), over(w.t, filepath.Join(dir, "l"))
	return dir
}

func over(t *testing.T, socket string) *http.Client {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// run starts the panel and waits until its sign-in page answers as expected.
func (w *world) run(want int) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.server.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		w.edge.CloseIdleConnections()
		w.local.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("the panel ended with %v", err)
		}
	})
	w.t.Cleanup(w.stop)
	w.awaitSignIn(want)
}

func (w *world) awaitSignIn(want int) {
	w.t.Helper()
	await(w.t, "the sign-in page to answer "+strconv.Itoa(want), func() bool {
		res, err := w.edge.Get("http://panel/sign-in")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		w.clock.Advance(5 * time.Second) // the issuer is looked at again
		return res.StatusCode == want
	})
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(5 * time.Millisecond) // between two looks at the condition
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// association puts an active one into the records.
func (w *world) association(slug, name string) tenants.Association {
	w.t.Helper()
	a := tenants.Association{ID: tenants.NewAssociationID(), Slug: slug, Name: name, State: tenants.AssociationActive, CreatedAt: w.clock.Now()}
	must(w.t, w.records.CreateAssociation(w.t.Context(), a))
	return a
}

// site puts one into the records.
func (w *world) site(slug string, state tenants.SiteState) tenants.Site {
	w.t.Helper()
	a, err := w.records.AssociationBySlug(w.t.Context(), slug)
	must(w.t, err)
	id := tenants.NewSiteID()
	x := tenants.Site{
		ID: id, AssociationID: a.ID, Template: "wordpress", Name: "Site de " + a.Name, Host: id + ".lilas.example",
		State: state, CreatedAt: w.clock.Now(), DiskBytes: 1 << 20,
	}
	if state == tenants.StateBinned {
		at := w.clock.Now()
		x.BinnedAt, x.BinnedFrom, x.BinnedBy = &at, tenants.StateReady, tenants.SideAssociation
	}
	must(w.t, w.records.CreateSite(w.t.Context(), &x))
	x.Release = tenants.Release{
		ID: tenants.NewReleaseID(), SiteID: x.ID, Number: 1, Template: "wordpress", Version: "1", Generation: 1, Sockets: "r1",
		Containers: []tenants.ReleaseContainer{{Name: "app", Container: "chatiere-test-" + x.ID + "-1-app", ImageID: provisiontest.FirstImage, Front: true}},
		CreatedAt:  w.clock.Now(),
	}
	must(w.t, w.records.CreateRelease(w.t.Context(), &x.Release, tenants.Definition{}))
	must(w.t, w.records.SetRelease(w.t.Context(), x.Release))
	return x
}

// outdate makes a site's template give something newer.
func (w *world) outdate(id string) {
	w.t.Helper()
	x, err := w.records.Site(w.t.Context(), id)
	must(w.t, err)
	must(w.t, w.records.SaveUpdateAvailable(w.t.Context(), id, x.Release.ID, true))
}

// operation puts one on a fresh site into the records.
func (w *world) operation(slug string, state operations.State) operations.Operation {
	return w.asked(slug, provision.KindSiteProvision, tenants.SideCoop, state)
}

// asked puts an operation that a side asked for on a fresh site into the records.
func (w *world) asked(slug, kind string, by tenants.Side, state operations.State) operations.Operation {
	w.t.Helper()
	x := w.site(slug, tenants.StateCreating)
	plan, err := w.desk.Registry.Latest(kind)
	must(w.t, err)
	op, err := operations.NewOperation(plan, w.clock.Now(), operations.Request{
		Subject: "site:" + x.ID, AssociationID: x.AssociationID, SiteID: x.ID, CreatedBy: "Ana", Spec: provision.Spec{SiteID: x.ID, By: by},
	})
	must(w.t, err)
	op.State, op.Detail = state, "/var/lib/chatiere-test is secret"
	op, err = w.records.Insert(w.t.Context(), op)
	must(w.t, err)
	return op
}

var (
	ana  = identitytest.Person("ana", "Ana", "/coop/admins").WithSecondFactor()
	weak = identitytest.Person("wim", "Wim", "/coop/admins")
	lea  = identitytest.Person("lea", "Léa Martin", "/assos/lilas/gestion")
	ali  = identitytest.Person("ali", "Ali", "/assos/lilas/membres")
	eve  = identitytest.Person("eve", "Eve", "/assos/tulipes/gestion")
)

// towns sets up three associations; lea manages and ali belongs to the first, eve manages the third.
func (w *world) towns() {
	w.association("lilas", "Amicale des Lilas")
	w.association("roses", "Club des Roses")
	w.association("tulipes", "Les Tulipes")
}
