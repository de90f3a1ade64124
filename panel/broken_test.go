package panel_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"chatiere/panel"
	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// faulty are records of which one reading fails.
type faulty struct {
	panel.Records

	mu    sync.Mutex
	at    int      // which reading fails; below zero none
	asked []string // readings since then
}

var errFaulty = errors.New("the records cannot be read")

// fail makes one of the readings to come fail.
func (f *faulty) fail(at int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.asked = at, nil
}

// readings returns what was read since.
func (f *faulty) readings() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

func reading[T any](f *faulty, name string, read func() (T, error)) (T, error) {
	f.mu.Lock()
	fails := len(f.asked) == f.at
	f.asked = append(f.asked, name)
	f.mu.Unlock()
	if fails {
		var nothing T
		return nothing, errFaulty
	}
	return read()
}

func (f *faulty) Association(ctx context.Context, id string) (tenants.Association, error) {
	return reading(f, "Association", func() (tenants.Association, error) { return f.Records.Association(ctx, id) })
}

func (f *faulty) AssociationBySlug(ctx context.Context, slug string) (tenants.Association, error) {
	return reading(f, "AssociationBySlug", func() (tenants.Association, error) { return f.Records.AssociationBySlug(ctx, slug) })
}

func (f *faulty) Associations(ctx context.Context) ([]tenants.Association, error) {
	return reading(f, "Associations", func() ([]tenants.Association, error) { return f.Records.Associations(ctx) })
}

func (f *faulty) AssociationsBySlugs(ctx context.Context, slugs []string) ([]tenants.Association, error) {
	return reading(f, "AssociationsBySlugs", func() ([]tenants.Association, error) { return f.Records.AssociationsBySlugs(ctx, slugs) })
}

func (f *faulty) Members(ctx context.Context, id string) ([]tenants.Member, error) {
	return reading(f, "Members", func() ([]tenants.Member, error) { return f.Records.Members(ctx, id) })
}

func (f *faulty) MemberCounts(ctx context.Context, ids []string) (map[string]int, error) {
	return reading(f, "MemberCounts", func() (map[string]int, error) { return f.Records.MemberCounts(ctx, ids) })
}

func (f *faulty) Site(ctx context.Context, id string) (tenants.Site, error) {
	return reading(f, "Site", func() (tenants.Site, error) { return f.Records.Site(ctx, id) })
}

func (f *faulty) Sites(ctx context.Context, ids []string, states []tenants.SiteState, search string) ([]tenants.Site, error) {
	return reading(f, "Sites", func() ([]tenants.Site, error) { return f.Records.Sites(ctx, ids, states, search) })
}

func (f *faulty) RequestsToday(ctx context.Context, ids []string, day time.Time) (map[string]int64, error) {
	return reading(f, "RequestsToday", func() (map[string]int64, error) { return f.Records.RequestsToday(ctx, ids, day) })
}

func (f *faulty) Mails(ctx context.Context, id string, limit int) ([]tenants.Mail, error) {
	return reading(f, "Mails", func() ([]tenants.Mail, error) { return f.Records.Mails(ctx, id, limit) })
}

func (f *faulty) MailFigures(ctx context.Context, id string, now time.Time) (tenants.MailFigures, error) {
	return reading(f, "MailFigures", func() (tenants.MailFigures, error) { return f.Records.MailFigures(ctx, id, now) })
}

func (f *faulty) Operation(ctx context.Context, id string) (operations.Operation, error) {
	return reading(f, "Operation", func() (operations.Operation, error) { return f.Records.Operation(ctx, id) })
}

func (f *faulty) Operations(ctx context.Context, by operations.Filter) ([]operations.Operation, error) {
	return reading(f, "Operations", func() ([]operations.Operation, error) { return f.Records.Operations(ctx, by) })
}

func (f *faulty) SiteGrants(ctx context.Context, id string) ([]tenants.EgressGrant, error) {
	return reading(f, "SiteGrants", func() ([]tenants.EgressGrant, error) { return f.Records.SiteGrants(ctx, id) })
}

func (f *faulty) GrantsIn(ctx context.Context, state tenants.GrantState) ([]tenants.EgressGrant, error) {
	return reading(f, "GrantsIn", func() ([]tenants.EgressGrant, error) { return f.Records.GrantsIn(ctx, state) })
}

func (f *faulty) Attempts(ctx context.Context, id string, since time.Time) ([]tenants.EgressAttempt, error) {
	return reading(f, "Attempts", func() ([]tenants.EgressAttempt, error) { return f.Records.Attempts(ctx, id, since) })
}

func (f *faulty) WorkerSeen(ctx context.Context) (time.Time, error) {
	return reading(f, "WorkerSeen", func() (time.Time, error) { return f.Records.WorkerSeen(ctx) })
}

func (f *faulty) Findings(ctx context.Context, by tenants.FindingFilter) ([]tenants.Finding, error) {
	return reading(f, "Findings", func() ([]tenants.Finding, error) { return f.Records.Findings(ctx, by) })
}

func (f *faulty) AuditEntries(ctx context.Context, by tenants.AuditFilter) ([]tenants.AuditEntry, error) {
	return reading(f, "AuditEntries", func() ([]tenants.AuditEntry, error) { return f.Records.AuditEntries(ctx, by) })
}

func (f *faulty) AuditActors(ctx context.Context, id string) ([]string, error) {
	return reading(f, "AuditActors", func() ([]string, error) { return f.Records.AuditActors(ctx, id) })
}

func (f *faulty) AuditActions(ctx context.Context, id string) ([]string, error) {
	return reading(f, "AuditActions", func() ([]string, error) { return f.Records.AuditActions(ctx, id) })
}

func (f *faulty) SiteAccountsOf(ctx context.Context, subject string) ([]tenants.SiteAccount, error) {
	return reading(f, "SiteAccountsOf", func() ([]tenants.SiteAccount, error) { return f.Records.SiteAccountsOf(ctx, subject) })
}

// dispensable are readings without which an answer is given all the same: it lacks a notice or the name of one's association
// in the menu, or says that a figure is not known.
func dispensable(route, name string) bool {
	switch name {
	case "WorkerSeen", "AssociationsBySlugs", "RequestsToday":
		return true
	case "Findings":
		return route == "GET /sites/:id" || route == "GET /api/v1/doctor" || route == "GET /"
	case "GrantsIn":
		return route == "GET /"
	case "Mails", "MailFigures":
		return route == "GET /sites/:id"
	case "Site":
		return route == "POST /sites/:id/purge" // only where to lead to, when it is done
	}
	return false
}

// A page or an answer that lacks something must not pass for a whole one: whichever reading fails, the answer is an error.
func TestNoAnswerHidesThatTheRecordsCannotBeRead(t *testing.T) {
	w := stillWorld(t)
	records := &faulty{Records: w.records, at: -1}
	w.options.Records = records
	w.again()
	w.towns()
	people, tried := w.everybody(), 0
	for _, row := range table {
		method, _, _ := strings.Cut(row.route, " ")
		if row.on == foreign || endsSessions[row.route] || strings.HasSuffix(row.route, "/events") { // a stream goes on reading
			continue
		}
		want := strings.Fields(row.want)
		for _, column := range []int{0, 2, 7, 9} { // admin, manager, the manager's token, the local socket
			if want[column] >= "400" {
				continue
			}
			ask := func(fails int) (status int, reads []string) {
				_, path, _ := strings.Cut(row.route, " ")
				slug := row.on
				if slug == none {
					slug = own
				}
				records.fail(-1)
				a := w.filled(w.aimed(method, path, row.on, slug, people[column], column), row.on, slug)
				records.fail(fails)
				res := w.send(people[column], a)
				return res.StatusCode, records.readings()
			}
			_, whole := ask(-1)
			for n := range whole {
				status, reads := ask(n)
				tried++
				if len(reads) > n && status < http.StatusInternalServerError && !dispensable(row.route, reads[n]) {
					t.Errorf("%s as %s answers %d although reading %s (%d of %d) failed", row.route, columns[column], status, reads[n], n+1, len(whole))
				}
			}
		}
	}
	if tried < 100 {
		t.Errorf("only %d readings failed", tried)
	}
}
