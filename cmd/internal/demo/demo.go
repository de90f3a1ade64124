// Package demo fills a fresh instance with something to look at: two associations, three people, one WordPress. It asks the
// running platform as any client would and may be repeated: what is there is kept, with the same passwords.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"chatiere/panel/api"
	"chatiere/reverseproxy/atomicfile"
)

// Summary is what .demo/summary.json holds. It is the only place where the demo's passwords stand.
type Summary struct {
	PanelURL    string `json:"panel_url"`
	KeycloakURL string `json:"keycloak_url"`
	CACert      string `json:"ca_cert"` // path of the certificate authority
	Admin       Person `json:"admin"`
	Manager     Person `json:"manager"` // of the association: may enter the site's own administration
	Member      Person `json:"member"`
	Outsider    Person `json:"outsider"` // member of another association
	Association string `json:"association"`
	Sites       []Site `json:"sites"`
	APIToken    string `json:"api_token"`
}

// Person is somebody who can sign in.
type Person struct {
	Username   string `json:"username"`
	Password   string `json:"password"`
	TOTPSecret string `json:"totp_secret,omitempty"`
}

// Site is one site of the demo.
type Site struct {
	ID            string `json:"id"`
	URL           string `json:"url"`
	Template      string `json:"template"`
	WPUser        string `json:"wp_user,omitempty"`
	WPAppPassword string `json:"wp_app_password,omitempty"`
}

// Panel is the running panel.
type Panel interface {
	Get(ctx context.Context, path string, into any) error
	Post(ctx context.Context, path string, body any, key string, into any) error
}

// Account is a person to be made.
type Account struct {
	Person
	FirstName, LastName, Email string
	Group                      string // path of the group they belong to
}

// Directory makes people and puts them into their groups.
type Directory interface {
	// EnsurePerson makes the account with exactly this password and secret; one that was made with others, before the
	// summary was lost, is made again.
	EnsurePerson(ctx context.Context, a Account) error
}

// Applications are the sites' own commands, run where the site runs.
type Applications interface {
	ApplicationPassword(ctx context.Context, siteID, user, name string) (string, error)
}

// Demo is what Run fills.
type Demo struct {
	Panel        Panel
	Directory    Directory
	Applications Applications
	Domain       string
	File         string // path of summary.json; what it holds already is kept
	Secret       func() string
	TOTP         func() string
	Say          func(line string)
}

const (
	association = "Amap du Puy"
	slug        = "amap-du-puy"
	neighbour   = "Chorale Mi-Sol"
	neighbours  = "chorale-mi-sol"
	siteName    = "Amap du Puy"
	siteLabel   = "amap"
	wpUser      = "chatiere" // the first account of a site
	appName     = "demo"
)

// Run fills the instance and writes the summary. s brings the addresses that the caller knows.
func (d Demo) Run(ctx context.Context, s Summary) (Summary, error) {
	s, err := d.loadSummary(s)
	if err != nil {
		return s, err
	}
	if err := d.write(s); err != nil { // passwords first: an account whose password is lost would be of no use
		return s, err
	}
	for name, short := range map[string]string{association: slug, neighbour: neighbours} {
		if err := d.association(ctx, name, short); err != nil {
			return s, err
		}
	}
	s.Association = slug
	if err := d.people(ctx, s); err != nil {
		return s, err
	}
	if s.Sites, err = d.site(ctx, s.Sites); err != nil {
		return s, err
	}
	if s.APIToken == "" {
		var t api.CreatedToken
		if err := d.Panel.Post(ctx, api.PathTokens, api.NewToken{Label: "demo", Scope: "write", Days: 366}, "", &t); err != nil {
			return s, fmt.Errorf("making the demo's token: %w", err)
		}
		s.APIToken = t.Secret
	}
	return s, d.write(s)
}

// loadSummary takes passwords from the last run's summary, or makes them.
func (d Demo) loadSummary(s Summary) (Summary, error) {
	data, err := os.ReadFile(d.File)
	if err == nil {
		var old Summary
		if err := json.Unmarshal(data, &old); err != nil {
			return s, fmt.Errorf("reading the last summary: %w", err)
		}
		s.Admin, s.Manager, s.Member, s.Outsider, s.Sites, s.APIToken = old.Admin, old.Manager, old.Member, old.Outsider, old.Sites, old.APIToken
		if s.Manager.Username == "" { // made before there was one
			s.Manager = d.manager()
		}
		return s, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return s, fmt.Errorf("reading the last summary: %w", err)
	}
	s.Admin = Person{Username: "camille", Password: d.Secret(), TOTPSecret: d.TOTP()}
	s.Manager = d.manager()
	s.Member = Person{Username: "dominique", Password: d.Secret()}
	s.Outsider = Person{Username: "sacha", Password: d.Secret()}
	return s, nil
}

func (d Demo) manager() Person { return Person{Username: "maud", Password: d.Secret()} }

// write replaces the summary, for its owner alone to read.
func (d Demo) write(s Summary) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the summary: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(d.File), 0o700); err != nil {
		return fmt.Errorf("making the summary's directory: %w", err)
	}
	if err := atomicfile.Write(d.File, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the summary: %w", err)
	}
	return nil
}

// awaitEarlierRun waits for the operations of a run that was killed; what they did shows in what exists.
func (d Demo) awaitEarlierRun(ctx context.Context, short string) error {
	var under api.List[api.Operation]
	if err := d.Panel.Get(ctx, api.PathOperations+"?live=true", &under); err != nil {
		return fmt.Errorf("listing the operations under way: %w", err)
	}
	for _, op := range under.Items {
		if op.Association != short {
			continue
		}
		d.Say("waiting for operation " + op.ID + " of an earlier run")
		if _, err := d.awaitEnd(ctx, op); err != nil {
			return err
		}
	}
	return nil
}

func (d Demo) association(ctx context.Context, name, short string) error {
	if err := d.awaitEarlierRun(ctx, short); err != nil {
		return err
	}
	var there api.Association
	err := d.Panel.Get(ctx, api.Item(api.PathAssociations, short), &there)
	if err == nil && there.State == "active" {
		return nil
	}
	if err != nil && !notFound(err) {
		return fmt.Errorf("looking for the association %s: %w", short, err)
	}
	d.Say("creating the association " + name)
	var op api.Operation
	if err := d.Panel.Post(ctx, api.PathAssociations, api.NewAssociation{Name: name, Slug: short}, "", &op); err != nil {
		return fmt.Errorf("creating the association %s: %w", short, err)
	}
	return d.awaitDone(ctx, op)
}

func notFound(err error) bool {
	var told *api.Error
	return errors.As(err, &told) && told.Code == api.CodeNotFound
}

// awaitDone waits for an operation to be done; anything else is an error.
func (d Demo) awaitDone(ctx context.Context, op api.Operation) error {
	op, err := d.awaitEnd(ctx, op)
	if err != nil {
		return err
	}
	if op.State != "done" {
		return fmt.Errorf("operation %s (%s) ended %s: %s %s", op.ID, op.Kind, op.State, op.Problem, op.Detail)
	}
	return nil
}

// awaitEnd returns an operation once it has ended, in whatever state.
func (d Demo) awaitEnd(ctx context.Context, op api.Operation) (api.Operation, error) {
	for !op.Ended() {
		if err := d.Panel.Get(ctx, api.Item(api.PathOperations, op.ID)+"?wait=30s", &op); err != nil {
			return op, fmt.Errorf("waiting for operation %s: %w", op.ID, err)
		}
	}
	return op, nil
}

func (d Demo) people(ctx context.Context, s Summary) error {
	for _, a := range []Account{
		{s.Admin, "Camille", "Bénévole", "camille@" + d.Domain, "/coop/admins"},
		{s.Manager, "Maud", "Gestion", "maud@" + d.Domain, "/assos/" + slug + "/gestion"},
		{s.Member, "Dominique", "Adhérent", "dominique@" + d.Domain, "/assos/" + slug + "/membres"},
		{s.Outsider, "Sacha", "Ailleurs", "sacha@" + d.Domain, "/assos/" + neighbours + "/membres"},
	} {
		if err := d.Directory.EnsurePerson(ctx, a); err != nil {
			return fmt.Errorf("making the account %s: %w", a.Username, err)
		}
	}
	return nil
}

// site returns the demo's site, made if it is not there.
func (d Demo) site(ctx context.Context, known []Site) ([]Site, error) {
	var list api.List[api.Site]
	if err := d.Panel.Get(ctx, api.PathSites+"?association="+slug+"&state=ready", &list); err != nil {
		return nil, fmt.Errorf("listing the demo's sites: %w", err)
	}
	host := siteLabel + "." + d.Domain
	for _, s := range list.Items {
		if s.Host != host {
			continue
		}
		for _, k := range known {
			if k.ID == s.ID && k.WPAppPassword != "" {
				return known, nil
			}
		}
		return d.describe(ctx, s)
	}
	d.Say("creating the site https://" + host)
	var op api.Operation
	wish := api.NewSite{Association: slug, Template: "wordpress", Name: siteName, Host: host}
	if err := d.Panel.Post(ctx, api.PathSites, wish, "", &op); err != nil {
		return nil, fmt.Errorf("creating the demo's site: %w", err)
	}
	if err := d.awaitDone(ctx, op); err != nil {
		return nil, err
	}
	var made api.Site
	if err := d.Panel.Get(ctx, api.Item(api.PathSites, op.Site), &made); err != nil {
		return nil, fmt.Errorf("reading the demo's site: %w", err)
	}
	return d.describe(ctx, made)
}

// appTime bounds the hook that makes an application password.
const appTime = time.Minute

func (d Demo) describe(ctx context.Context, s api.Site) ([]Site, error) {
	ctx, cancel := context.WithTimeout(ctx, appTime)
	defer cancel()
	password, err := d.Applications.ApplicationPassword(ctx, s.ID, wpUser, appName)
	if err != nil {
		return nil, fmt.Errorf("making the application password: %w", err)
	}
	return []Site{{ID: s.ID, URL: s.URL, Template: s.Template, WPUser: wpUser, WPAppPassword: strings.TrimSpace(password)}}, nil
}
