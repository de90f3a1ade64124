package panel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chatiere/panel"
	"chatiere/panel/api"
	"chatiere/panel/assets"
	"chatiere/panel/auth"
	"chatiere/panel/auth/authtest"
	"chatiere/panel/views"
	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
	"chatiere/tenants/provision/provisiontest"
)

const origin = "https://panel.lilas.example"

// records are the use cases' fakes with what only pages ask for.
type records struct {
	*provisiontest.Records
	people *authtest.Store

	mu           sync.Mutex
	associations []string
	workerSeen   time.Time
	requests     map[string]int64
	broken       error // what every reading answers when it is set
}

func (r *records) CreateAssociation(ctx context.Context, a tenants.Association) error {
	if err := r.Records.CreateAssociation(ctx, a); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.associations = append(r.associations, a.ID)
	return nil
}

func (r *records) Associations(ctx context.Context) ([]tenants.Association, error) {
	r.mu.Lock()
	ids := slices.Clone(r.associations)
	r.mu.Unlock()
	var out []tenants.Association
	for _, id := range ids {
		if a, err := r.Association(ctx, id); err == nil {
			out = append(out, a)
		}
	}
	return out, nil
}

func (r *records) AssociationsBySlugs(ctx context.Context, slugs []string) ([]tenants.Association, error) {
	var out []tenants.Association
	for _, slug := range slugs {
		if a, err := r.AssociationBySlug(ctx, slug); err == nil {
			out = append(out, a)
		}
	}
	return out, nil
}

func (r *records) Site(ctx context.Context, id string) (tenants.Site, error) {
	r.mu.Lock()
	broken := r.broken
	r.mu.Unlock()
	if broken != nil {
		return tenants.Site{}, broken
	}
	return r.Records.Site(ctx, id)
}

// Sites takes an empty list for "all", as a careless store might: the panel must not rest on it.
func (r *records) Sites(ctx context.Context, associationIDs []string, states []tenants.SiteState, search string) ([]tenants.Site, error) {
	all, err := r.LiveSites(ctx)
	return slices.DeleteFunc(all, func(x tenants.Site) bool {
		return (len(associationIDs) > 0 && !slices.Contains(associationIDs, x.AssociationID)) ||
			(len(states) > 0 && !slices.Contains(states, x.State)) || !strings.Contains(x.Name+" "+x.Host, search)
	}), err
}

func (r *records) Members(context.Context, string) ([]tenants.Member, error) {
	lea, err := r.people.Person(context.Background(), "lea")
	if errors.Is(err, tenants.ErrNotFound) {
		return nil, nil
	}
	return []tenants.Member{lea}, err
}

func (r *records) RequestsToday(context.Context, []string, time.Time) (map[string]int64, error) {
	return r.requests, nil
}

func (r *records) WorkerSeen(context.Context) (time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.workerSeen, nil
}

func (r *records) Ping(context.Context) error { return nil }

type catalogue struct{}

func (catalogue) Templates() []panel.Template {
	return []panel.Template{{Name: "wordpress", Title: "WordPress", Version: "1", Summary: map[string]string{"fr": "Un site.", "en": "A site."}}}
}

type doctor struct{}

func (doctor) Examine(context.Context) (api.Diagnosis, error) {
	return api.Diagnosis{Checks: []api.Check{{Name: "disk", State: api.CheckGreen, Found: "12 GiB"}}}, nil
}

// world is a running panel with everything behind it.
type world struct {
	t       *testing.T
	clock   *authtest.Clock
	issuer  *authtest.Issuer
	store   *authtest.Store
	records *records
	desk    *provision.Desk
	server  *panel.Server
	log     *logBook
	edge    *http.Client
	local   *http.Client
	address atomic.Int64
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
	w := &world{t: t, clock: authtest.NewClock(), store: authtest.NewStore(), log: &logBook{}}
	w.issuer = authtest.NewIssuer(t, w.clock.Now)
	w.records = &records{Records: provisiontest.NewRecords(w.clock.Now), people: w.store, workerSeen: w.clock.Now(), requests: map[string]int64{}}
	registry := provisiontest.NewWorld(w.records.Records).Plans(w.clock.Now).Registry()
	w.desk = &provision.Desk{
		Records: w.records, Queue: w.records.Records, Registry: registry, Catalogue: provisiontest.Templates{},
		Hosts: tenants.Hosts{Domain: "lilas.example", Platform: []string{"panel.lilas.example"}}, Now: w.clock.Now,
	}
	w.server = w.newServer(registry)
	w.run()
	return w
}

func (w *world) newServer(registry *operations.Registry) *panel.Server {
	static, err := assets.Load()
	must(w.t, err)
	pages, err := views.New(static, w.clock.Now)
	must(w.t, err)
	dir := w.sockets()
	server, err := panel.New(panel.Options{
		PublicURL: origin, SitesDomain: "lilas.example", SitesPort: 8443, Coop: panel.Coop{Name: "Coop des Lilas", Contact: "contact@lilas.example"},
		Instance: "test", DataRoot: "/var/lib/chatiere-test", EdgeSocket: filepath.Join(dir, "e"), LocalSocket: filepath.Join(dir, "l"),
		Identity:   auth.Identity{Issuer: w.issuer.URL, ClientID: w.issuer.ClientID, ClientSecret: w.issuer.Secret, Client: &http.Client{Timeout: 5 * time.Second}},
		SessionKey: []byte("0123456789abcdef0123456789abcdef"), Heartbeat: 30 * time.Millisecond,
		Records: w.records, People: w.store, Store: w.store, Desk: w.desk, Catalogue: catalogue{}, Doctor: doctor{},
		PastPivot: func(op operations.Operation) bool {
			plan, err := registry.Plan(op.Kind, op.PlanVersion)
			return err == nil && plan.PastPivot(op)
		},
		Views: pages, Assets: static, Now: w.clock.Now, Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	must(w.t, err)
	return server
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

// run starts the panel and waits until it answers and knows the issuer.
func (w *world) run() {
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
	await(w.t, "the panel to answer", func() bool {
		res, err := w.edge.Get("http://panel/sign-in")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		w.clock.Advance(5 * time.Second) // the issuer is looked at again
		return res.StatusCode == http.StatusOK
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

// who is how somebody shows who they are.
type who struct {
	cookie string
	csrf   string
	bearer string
	local  bool
}

// ask is one request.
type ask struct {
	method, path string
	form         url.Values
	json         string
	header       map[string]string
	cookies      map[string]string
}

// reply is what came back.
type reply struct {
	status   int
	location string
	header   http.Header
	cookies  map[string]*http.Cookie
	body     string
}

// do sends a request as a browser, a program or root on the server would.
func (w *world) do(by who, a ask) reply {
	w.t.Helper()
	res := w.open(by, a)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	must(w.t, err)
	r := reply{status: res.StatusCode, location: res.Header.Get("Location"), header: res.Header, cookies: map[string]*http.Cookie{}, body: string(b)}
	for _, c := range res.Cookies() {
		r.cookies[c.Name] = c
	}
	return r
}

func (w *world) open(by who, a ask) *http.Response {
	w.t.Helper()
	if a.method == "" {
		a.method = http.MethodGet
	}
	var body io.Reader
	if a.form != nil || (a.method != http.MethodGet && a.json == "") {
		form := url.Values{}
		for k, v := range a.form {
			form[k] = v
		}
		if _, given := form["csrf"]; !given && by.csrf != "" {
			form.Set("csrf", by.csrf)
		}
		body = strings.NewReader(form.Encode())
	}
	if a.json != "" {
		body = strings.NewReader(a.json)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), a.method, "http://panel"+a.path, body)
	must(w.t, err)
	w.dress(req, by, a)
	client := w.edge
	if by.local {
		client = w.local
	}
	res, err := client.Do(req)
	must(w.t, err)
	return res
}

func (w *world) dress(req *http.Request, by who, a ask) {
	n := w.address.Add(1)
	req.Header.Set("X-Real-IP", fmt.Sprintf("198.51.%d.%d", n/250%250, n%250))
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if a.json != "" {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set(api.HeaderCSRF, by.csrf)
	} else if req.Body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if by.cookie != "" {
		req.AddCookie(&http.Cookie{Name: "__Host-chatiere", Value: by.cookie})
	}
	for name, value := range a.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if by.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+by.bearer)
	}
	for k, v := range a.header {
		if v == "" {
			req.Header.Del(k)
		} else {
			req.Header.Set(k, v)
		}
	}
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// signIn walks the whole code flow.
func (w *world) signIn(person authtest.Claims) who {
	w.t.Helper()
	r := w.do(who{}, ask{path: "/auth/login"})
	if r.status != http.StatusSeeOther {
		w.t.Fatalf("login answered %d: %s", r.status, r.body)
	}
	q := w.issuer.Approve(w.t, r.location, person)
	binding := r.cookies["__Host-chatiere-login"].Value
	r = w.do(who{}, ask{path: "/auth/callback?" + q.Encode(), cookies: map[string]string{"__Host-chatiere-login": binding}})
	if r.status != http.StatusSeeOther || r.cookies["__Host-chatiere"] == nil {
		w.t.Fatalf("callback answered %d: %s", r.status, r.body)
	}
	by := who{cookie: r.cookies["__Host-chatiere"].Value}
	by.csrf = w.formToken(by)
	return by
}

func (w *world) formToken(by who) string {
	w.t.Helper()
	r := w.do(by, ask{path: "/account"})
	m := csrfField.FindStringSubmatch(r.body)
	if m == nil {
		w.t.Fatalf("no form token on the account page (%d)", r.status)
	}
	return m[1]
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
		ID: id, AssociationID: a.ID, Template: "wordpress", Version: "1", Name: "Site de " + a.Name, Host: id + ".lilas.example",
		State: state, CreatedAt: w.clock.Now(), DiskBytes: 1 << 20,
	}
	if state == tenants.StateBinned {
		at := w.clock.Now()
		x.BinnedAt = &at
	}
	must(w.t, w.records.CreateSite(w.t.Context(), &x))
	return x
}

// operation puts one on a fresh site into the records.
func (w *world) operation(slug string, state operations.State) operations.Operation {
	w.t.Helper()
	x := w.site(slug, tenants.StateCreating)
	plan, err := w.desk.Registry.Latest(provision.KindSiteProvision)
	must(w.t, err)
	op, err := operations.NewOperation(plan, w.clock.Now(), "site:"+x.ID, "", provision.Wish{SiteID: x.ID})
	must(w.t, err)
	op.AssociationID, op.SiteID, op.CreatedBy, op.State = x.AssociationID, x.ID, "Ana", state
	op.Detail = "/var/lib/chatiere-test is secret"
	op, err = w.records.Insert(w.t.Context(), op)
	must(w.t, err)
	return op
}

var (
	ana  = authtest.Person("ana", "Ana", "/coop/admins").WithSecondFactor()
	weak = authtest.Person("wim", "Wim", "/coop/admins")
	lea  = authtest.Person("lea", "Léa Martin", "/assos/lilas/gestion")
	ali  = authtest.Person("ali", "Ali", "/assos/lilas/membres")
	eve  = authtest.Person("eve", "Eve", "/assos/tulipes/gestion")
)

// towns sets up three associations; lea manages and ali belongs to the first, eve manages the third.
func (w *world) towns() {
	w.association("lilas", "Amicale des Lilas")
	w.association("roses", "Club des Roses")
	w.association("tulipes", "Les Tulipes")
}
