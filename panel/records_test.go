package panel_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"chatiere/panel/auth/authtest"
	"chatiere/tenants"
	"chatiere/tenants/egressgrant/egressgranttest"
	"chatiere/tenants/findings/findingstest"
	"chatiere/tenants/provision/provisiontest"
)

// records are the use cases' fakes with what only pages ask for.
type records struct {
	*provisiontest.Records
	egressgranttest.Store
	noticed findingstest.Records
	people  *authtest.Store

	mu           sync.Mutex
	associations []string
	workerSeen   time.Time
	requests     map[string]int64
	probes       map[string]tenants.Probe
	tried        []tenants.EgressAttempt
	counts       int                       // how often members were counted
	mails        map[string][]tenants.Mail // by site
	figures      tenants.MailFigures
	inside       map[string][]tenants.SiteAccount // by subject
	broken       error                            // what every reading answers when it is set
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

func (r *records) SiteAccountsOf(_ context.Context, subject string) ([]tenants.SiteAccount, error) {
	return r.inside[subject], nil
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
	x, err := r.Records.Site(ctx, id)
	if p, ok := r.probes[id]; ok {
		x.Probe = p
	}
	return x, err
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

func (r *records) MemberCounts(_ context.Context, ids []string) (map[string]int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts++
	counts := map[string]int{}
	for i, id := range ids {
		counts[id] = 40 + i
	}
	return counts, nil
}

func (r *records) RequestsToday(_ context.Context, _ []string, day time.Time) (map[string]int64, error) {
	if day.Location().String() != "Europe/Paris" {
		return nil, errors.New("asked for a day of elsewhere")
	}
	return r.requests, nil
}

func (r *records) WorkerSeen(context.Context) (time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.workerSeen, nil
}

func (r *records) Findings(ctx context.Context, f tenants.FindingFilter) ([]tenants.Finding, error) {
	return r.noticed.Findings(ctx, f)
}

func (r *records) Revival(context.Context) (string, error) { return "make revive", nil }
func (r *records) Mails(_ context.Context, siteID string, limit int) ([]tenants.Mail, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mails[siteID][:min(limit, len(r.mails[siteID]))], nil
}

func (r *records) MailFigures(context.Context, string, time.Time) (tenants.MailFigures, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.figures, nil
}

func (r *records) AuditEntries(_ context.Context, f tenants.AuditFilter) ([]tenants.AuditEntry, error) {
	var out []tenants.AuditEntry
	for i, e := range slices.Backward(r.Audited()) {
		e.ID = int64(i + 1)
		if (f.AssociationID == "" || e.AssociationID == f.AssociationID) && (f.ActorName == "" || e.ActorName == f.ActorName) &&
			(f.Action == "" || e.Action == f.Action) && (f.From.IsZero() || !e.At.Before(f.From)) && (f.To.IsZero() || e.At.Before(f.To)) &&
			(f.Before.ID == 0 || e.ID < f.Before.ID) && len(out) < f.Limit {
			out = append(out, e)
		}
	}
	return out, nil
}

func (r *records) AuditActors(_ context.Context, associationID string) ([]string, error) {
	return r.values(associationID, func(e tenants.AuditEntry) string { return e.ActorName }), nil
}

func (r *records) AuditActions(_ context.Context, associationID string) ([]string, error) {
	return r.values(associationID, func(e tenants.AuditEntry) string { return e.Action }), nil
}

func (r *records) values(associationID string, of func(tenants.AuditEntry) string) []string {
	var out []string
	for _, e := range r.Audited() {
		if associationID == "" || e.AssociationID == associationID {
			out = append(out, of(e))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (r *records) Ping(context.Context) error { return nil }

func (r *records) Attempts(_ context.Context, siteID string, since time.Time) ([]tenants.EgressAttempt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.tried), func(t tenants.EgressAttempt) bool { return t.SiteID != siteID || t.Last.Before(since) }), nil
}
