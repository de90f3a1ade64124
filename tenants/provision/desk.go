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

// Desk is where people's wishes are taken in: it authorises, validates, and writes the wish and its operation in one
// transaction. It touches nothing outside the database.
type Desk struct {
	Records  Records
	Queue    operations.Queue
	Registry *operations.Registry
	// Catalogue tells the version a new site gets.
	Catalogue interface {
		Latest(name string) (string, error)
	}
	Hosts tenants.Hosts
	Now   func() time.Time
	Nudge func() // tells the worker that something is due; may be nil
}

// Request is who asks and from where, for authorisation and the audit trail.
type Request struct {
	Principal tenants.Principal
	Address   string
	Key       string // idempotency key; "" for none
}

// NewAssociation is the wish for an association.
type NewAssociation struct {
	Name string
	Slug string // "" lets us derive it from the name
}

// NewSite is the wish for a site.
type NewSite struct {
	Association string // slug
	Template    string
	Name        string
	Host        string // bare label or full name
	AdminEmail  string // "" takes the asker's
}

// maxName bounds names people write, in characters.
const maxName = 120

// adminUser is the first account of a fresh site. People enter through the panel; nobody is told its password.
const adminUser = "chatiere"

// CreateAssociation asks for an association. Faults: name missing or too_long, slug malformed or taken.
func (d *Desk) CreateAssociation(ctx context.Context, r Request, wish NewAssociation) (operations.Operation, error) {
	if err := tenants.Authorize(r.Principal, tenants.ActAssociationCreate, ""); err != nil {
		return operations.Operation{}, err
	}
	a, faults := newAssociation(wish, d.Now())
	if len(faults) > 0 {
		return operations.Operation{}, d.withFreeSlug(ctx, faults)
	}
	var op operations.Operation
	err := d.Records.Transact(ctx, func(ctx context.Context) error {
		var err error
		// The operation first: the same wish sent again must be known by its key before its own traces count as taken.
		if op, err = d.insert(ctx, r, KindAssociationCreate, tenants.ActAssociationCreate, Wish{AssociationID: a.ID}, "association:"+a.ID); err != nil {
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

// nameless is the slug that is proposed for a name without a Latin letter.
const nameless = "association"

// proposals is how many slugs are tried before none is proposed.
const proposals = 50

// withFreeSlug completes what is wrong with a slug by one that is free; without an answer of the records, by none.
func (d *Desk) withFreeSlug(ctx context.Context, faults tenants.Faults) error {
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

func newAssociation(wish NewAssociation, now time.Time) (tenants.Association, tenants.Faults) {
	name := strings.Join(strings.Fields(wish.Name), " ")
	faults := checkName(name)
	slug := wish.Slug
	if slug == "" {
		slug = tenants.Slugify(name)
	}
	switch {
	case wish.Slug == "" && len(slug) < 2 && name != "": // nothing of the name can stand in a slug
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

// CreateSite asks for a site. Faults: name missing or too_long; template unknown; host missing, malformed, foreign,
// reserved or taken, with a free proposal; admin_email malformed.
func (d *Desk) CreateSite(ctx context.Context, r Request, wish NewSite) (operations.Operation, error) {
	if err := tenants.Authorize(r.Principal, tenants.ActSiteCreate, wish.Association); err != nil {
		return operations.Operation{}, err
	}
	a, err := d.Records.AssociationBySlug(ctx, wish.Association)
	if err != nil {
		return operations.Operation{}, err
	}
	if a.State != tenants.AssociationActive {
		return operations.Operation{}, fmt.Errorf("association %s is %s: %w", a.Slug, a.State, tenants.ErrConflict)
	}
	s, faults, err := d.newSite(ctx, r, a, wish)
	if err != nil {
		return operations.Operation{}, err
	}
	var op operations.Operation
	err = d.Records.Transact(ctx, func(ctx context.Context) error {
		w := Wish{AssociationID: a.ID, SiteID: s.ID, AdminUser: adminUser}
		// The operation first, as above: its own host is taken by then.
		if op, err = d.insert(ctx, r, KindSiteProvision, tenants.ActSiteCreate, w, "site:"+s.ID); err != nil {
			return err
		}
		if len(faults) > 0 {
			return faults
		}
		return taken(d.Records.CreateSite(ctx, &s), "host", "")
	})
	return d.nudged(op, err)
}

func (d *Desk) newSite(ctx context.Context, r Request, a tenants.Association, wish NewSite) (tenants.Site, tenants.Faults, error) {
	s := tenants.Site{
		ID: tenants.NewSiteID(), AssociationID: a.ID, Template: wish.Template, State: tenants.StateCreating,
		Name: strings.Join(strings.Fields(wish.Name), " "), AdminEmail: wish.AdminEmail, CreatedAt: d.Now().UTC(),
	}
	faults := checkName(s.Name)
	_, err := d.Catalogue.Latest(wish.Template)
	switch {
	case errors.Is(err, tenants.ErrNotFound):
		faults = append(faults, tenants.Fault{Field: "template", Code: "unknown"})
	case err != nil:
		return s, nil, err
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
	host, fault, err := d.checkHost(ctx, wish.Host, s.Name)
	if fault != nil {
		faults = append(faults, *fault)
	}
	s.Host = host
	return s, faults, err
}

// checkHost returns the full name, or what is wrong with it together with a free one.
func (d *Desk) checkHost(ctx context.Context, typed, name string) (string, *tenants.Fault, error) {
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

// ProposeHost returns a free host name built from what a person wrote.
func (d *Desk) ProposeHost(ctx context.Context, wish string) (string, error) {
	return d.Hosts.Propose(wish, func(host string) (bool, error) { return d.Records.HostTaken(ctx, host) })
}

// taken turns a unique key's conflict, which two wishes at the same instant can reach, into the field's fault.
func taken(err error, field, proposal string) error {
	if errors.Is(err, tenants.ErrConflict) {
		return tenants.Faults{{Field: field, Code: "taken", Proposal: proposal}}
	}
	return err
}

// insert writes the operation and its audit entry into the running transaction.
func (d *Desk) insert(ctx context.Context, r Request, kind string, act tenants.Action, w Wish, subject string) (operations.Operation, error) {
	plan, err := d.Registry.Latest(kind)
	if err != nil {
		return operations.Operation{}, err
	}
	key := ""
	if r.Key != "" {
		key = string(r.Principal.Kind) + ":" + r.Principal.ID + ":" + kind + ":" + r.Key
	}
	w.By = r.Principal.Side()
	op, err := operations.NewOperation(plan, d.Now().UTC(), subject, key, w)
	if err != nil {
		return op, err
	}
	op.AssociationID, op.SiteID, op.CreatedBy = w.AssociationID, w.SiteID, r.Principal.Name
	stored, err := d.Queue.Insert(ctx, op)
	if err != nil {
		return stored, err
	}
	if stored.ID != op.ID {
		// The same wish was sent before: nothing of this transaction may stay.
		return stored, &repeated{stored}
	}
	return stored, d.Records.Audit(ctx, entry(r, act, stored, d.Now()))
}

// repeated rolls the transaction of a repeated wish back and carries the first one's operation out of it.
type repeated struct{ op operations.Operation }

func (*repeated) Error() string { return "the same wish was sent before" }

func (d *Desk) nudged(op operations.Operation, err error) (operations.Operation, error) {
	var again *repeated
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
