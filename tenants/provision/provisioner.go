package provision

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// Provisioner has the use cases that people request: it authorises, validates, and writes the change and its operation in
// one transaction. It changes nothing outside the database.
type Provisioner struct {
	Records  Records
	Queue    operations.Queue
	Registry *operations.Registry
	// Catalogue tells the version a new site gets, and the modes that a template has; ErrNotFound for an unknown template.
	Catalogue interface {
		Latest(name string) (string, error)
		Modes(name string) ([]string, error)
	}
	Hosts tenants.Hosts
	Now   func() time.Time
	Nudge func() // tells the worker that something is due; may be nil
}

// Request is the author of a request, for authorisation and the audit log.
type Request struct {
	Principal tenants.Principal
	Address   string
	Key       string // idempotency key; "" for none
}

// NewAssociation is the input of CreateAssociation.
type NewAssociation struct {
	Name string
	Slug string // "" lets us derive it from the name
}

// NewSite is the input of CreateSite.
type NewSite struct {
	Association string // slug
	Template    string
	Mode        string // "" takes the template's first
	Name        string
	Host        string // bare label or full name
	AdminEmail  string // "" takes the asker's
}

// maxName bounds names, in characters.
const maxName = 120

// adminUser is the first account of a new site. People enter through the panel; nobody knows its password.
const adminUser = "chatiere"

// CreateAssociation requests an association. Faults: name missing or too_long, slug malformed or taken.
func (d *Provisioner) CreateAssociation(ctx context.Context, r Request, spec NewAssociation) (operations.Operation, error) {
	if err := tenants.Authorize(r.Principal, tenants.ActAssociationCreate, ""); err != nil {
		return operations.Operation{}, err
	}
	a, faults := newAssociation(spec, d.Now())
	if len(faults) > 0 {
		return operations.Operation{}, d.withFreeSlug(ctx, faults)
	}
	var op operations.Operation
	err := d.Records.Transact(ctx, func(ctx context.Context) error {
		var err error
		// The operation first: the same wish sent again must be known by its key before its own traces count as taken.
		if op, err = d.insert(ctx, r, KindAssociationCreate, tenants.ActAssociationCreate, Spec{AssociationID: a.ID}, "association:"+a.ID); err != nil {
			return err
		}
		return taken(d.Records.CreateAssociation(ctx, a), "slug", a.Slug)
	})
	var found tenants.Faults
	if errors.As(err, &found) {
		err = d.withFreeSlug(ctx, found)
	}
	return d.nudged(op, err)
}

// nameless is the proposed slug for a name without a Latin letter.
const nameless = "association"

// proposals is how many slugs are tried before none is proposed.
const proposals = 50

// withFreeSlug adds a free slug to the faults of a slug, if the records answer.
func (d *Provisioner) withFreeSlug(ctx context.Context, faults tenants.Faults) error {
	for i, f := range faults {
		if f.Field != "slug" {
			continue
		}
		base := f.Proposal
		if len(base) < 2 {
			base = nameless
		}
		faults[i].Proposal = ""
		for n := 1; n <= proposals; n++ {
			slug := base
			if n > 1 {
				slug += "-" + strconv.Itoa(n)
			}
			if _, err := d.Records.AssociationBySlug(ctx, slug); errors.Is(err, tenants.ErrNotFound) {
				faults[i].Proposal = slug
				break
			}
		}
	}
	return faults
}

func newAssociation(spec NewAssociation, now time.Time) (tenants.Association, tenants.Faults) {
	name := strings.Join(strings.Fields(spec.Name), " ")
	faults := checkName(name)
	slug := spec.Slug
	if slug == "" {
		slug = tenants.Slugify(name)
	}
	switch {
	case spec.Slug == "" && len(slug) < 2 && name != "": // nothing of the name can stand in a slug
		faults = append(faults, tenants.Fault{Field: "slug", Code: "missing"})
	case len(slug) < 2 || slug != tenants.Slugify(slug):
		faults = append(faults, tenants.Fault{Field: "slug", Code: "malformed", Proposal: tenants.Slugify(slug)})
	}
	return tenants.Association{
		ID: tenants.NewAssociationID(), Slug: slug, Name: name, State: tenants.AssociationCreating, CreatedAt: now.UTC(),
	}, faults
}

func checkName(name string) tenants.Faults {
	switch {
	case name == "":
		return tenants.Faults{{Field: "name", Code: "missing"}}
	case utf8.RuneCountInString(name) > maxName:
		return tenants.Faults{{Field: "name", Code: "too_long"}}
	case !tenants.Readable(name):
		return tenants.Faults{{Field: "name", Code: "invisible", Proposal: tenants.Visible(name)}}
	}
	return nil
}

// CreateSite requests a site. Faults: name missing or too_long; template unknown; host missing, malformed, foreign,
// reserved or taken, with a free proposal; admin_email malformed; mode unknown.
func (d *Provisioner) CreateSite(ctx context.Context, r Request, spec NewSite) (operations.Operation, error) {
	if err := tenants.Authorize(r.Principal, tenants.ActSiteCreate, spec.Association); err != nil {
		return operations.Operation{}, err
	}
	a, err := d.Records.AssociationBySlug(ctx, spec.Association)
	if err != nil {
		return operations.Operation{}, err
	}
	if a.State != tenants.AssociationActive {
		return operations.Operation{}, fmt.Errorf("association %s is %s: %w", a.Slug, a.State, tenants.ErrConflict)
	}
	s, faults, err := d.newSite(ctx, r, a, spec)
	if err != nil {
		return operations.Operation{}, err
	}
	var op operations.Operation
	err = d.Records.Transact(ctx, func(ctx context.Context) error {
		w := Spec{AssociationID: a.ID, SiteID: s.ID, AdminUser: adminUser, Mode: spec.Mode}
		// The operation first, as above: its own host is taken by then.
		if op, err = d.insert(ctx, r, KindSiteProvision, tenants.ActSiteCreate, w, siteSubject(s.ID)); err != nil {
			return err
		}
		if len(faults) > 0 {
			return faults
		}
		return taken(d.Records.CreateSite(ctx, &s), "host", "")
	})
	return d.nudged(op, err)
}

func (d *Provisioner) newSite(ctx context.Context, r Request, a tenants.Association, spec NewSite) (tenants.Site, tenants.Faults, error) {
	s := tenants.Site{
		ID: tenants.NewSiteID(), AssociationID: a.ID, Template: spec.Template, State: tenants.StateCreating,
		Name: strings.Join(strings.Fields(spec.Name), " "), AdminEmail: spec.AdminEmail, CreatedAt: d.Now().UTC(),
	}
	faults := checkName(s.Name)
	_, err := d.Catalogue.Latest(spec.Template)
	switch {
	case errors.Is(err, tenants.ErrNotFound):
		faults = append(faults, tenants.Fault{Field: "template", Code: "unknown"})
	case err != nil:
		return s, nil, err
	default:
		var wrong tenants.Faults
		if err := d.checkMode(spec.Template, spec.Mode); errors.As(err, &wrong) {
			faults = append(faults, wrong...)
		} else if err != nil {
			return s, nil, err
		}
	}
	if s.AdminEmail == "" {
		s.AdminEmail = r.Principal.Email
	}
	if s.AdminEmail == "" {
		s.AdminEmail = "contact@" + d.Hosts.Domain
	}
	if parsed, err := mail.ParseAddress(s.AdminEmail); err != nil || parsed.Address != s.AdminEmail {
		faults = append(faults, tenants.Fault{Field: "admin_email", Code: "malformed"})
	}
	host, fault, err := d.checkHost(ctx, spec.Host, s.Name)
	if fault != nil {
		faults = append(faults, *fault)
	}
	s.Host = host
	return s, faults, err
}

// checkHost returns the full name, or a fault with a free one.
func (d *Provisioner) checkHost(ctx context.Context, typed, name string) (string, *tenants.Fault, error) {
	host, fault := d.Hosts.Normalize(typed)
	if fault == nil {
		used, err := d.Records.HostTaken(ctx, host)
		if err != nil {
			return "", nil, err
		}
		if !used {
			return host, nil, nil
		}
		fault = &tenants.Fault{Field: "host", Code: "taken"}
	}
	wish := d.Hosts.Label(typed)
	if tenants.Slugify(wish) == "" {
		wish = name
	}
	var err error
	fault.Proposal, err = d.ProposeHost(ctx, wish)
	return "", fault, err
}

// ProposeHost returns a free host name derived from a name.
func (d *Provisioner) ProposeHost(ctx context.Context, name string) (string, error) {
	return d.Hosts.Propose(name, func(host string) (bool, error) { return d.Records.HostTaken(ctx, host) })
}

// taken turns the conflict of a unique key, which two simultaneous requests can cause, into the field's fault.
func taken(err error, field, proposal string) error {
	if errors.Is(err, tenants.ErrConflict) {
		return tenants.Faults{{Field: field, Code: "taken", Proposal: proposal}}
	}
	return err
}

// insert writes the operation and its audit entry into the running transaction.
func (d *Provisioner) insert(ctx context.Context, r Request, kind string, act tenants.Action, w Spec, subject string) (operations.Operation, error) {
	plan, err := d.Registry.Latest(kind)
	if err != nil {
		return operations.Operation{}, err
	}
	key := ""
	if r.Key != "" {
		key = string(r.Principal.Kind) + ":" + r.Principal.ID + ":" + kind + ":" + r.Key
	}
	w.By = r.Principal.Side()
	op, err := operations.NewOperation(plan, d.Now().UTC(), operations.Request{
		Subject: subject, AssociationID: w.AssociationID, SiteID: w.SiteID, Key: key, CreatedBy: r.Principal.Name, Spec: w,
	})
	if err != nil {
		return op, err
	}
	stored, err := d.Queue.Insert(ctx, op)
	if err != nil {
		return stored, err
	}
	if stored.ID != op.ID {
		// The same wish was sent before: nothing of this transaction may stay.
		return stored, &repeatedRequest{stored}
	}
	return stored, d.Records.Audit(ctx, entry(r, act, stored, d.Now()))
}

// repeatedRequest rolls back the transaction of a repeated request and returns the first one's operation.
type repeatedRequest struct{ op operations.Operation }

func (*repeatedRequest) Error() string { return "the same wish was sent before" }

func (d *Provisioner) nudged(op operations.Operation, err error) (operations.Operation, error) {
	var again *repeatedRequest
	if errors.As(err, &again) {
		return again.op, nil
	}
	if err == nil && d.Nudge != nil {
		d.Nudge()
	}
	return op, err
}

func entry(r Request, act tenants.Action, op operations.Operation, now time.Time) tenants.AuditEntry {
	return tenants.AuditEntry{
		At: now.UTC(), ActorKind: r.Principal.Kind, ActorID: r.Principal.ID, ActorName: r.Principal.Name, Address: r.Address,
		Action: string(act), AssociationID: op.AssociationID, SiteID: op.SiteID, OperationID: op.ID,
	}
}
