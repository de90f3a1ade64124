package provision

import (
	"context"
	"strings"

	"chatiere/tenants"
)

// reportMissing logs once what a live site has lost, and reports whether it has lost anything. Nothing is recreated: an empty
// database or directory would hide the loss, and show visitors an installer.
func (r *Reconciler) reportMissing(ctx context.Context, s tenants.Site, data bool, there *observed) (bool, error) {
	what := r.missingParts(s, data, there)
	key := s.ID + " lost"
	if what == "" {
		delete(r.reported, key) // should it be lost again, that is news
		return false, nil
	}
	now, err := r.Records.Site(ctx, s.ID)
	if err != nil {
		return true, err
	}
	if busy, err := r.busy(ctx, s.ID); err != nil || busy || now.State != s.State {
		return true, err // a purge takes all this away by right
	}
	r.addFinding(s.ID, tenants.FindingSiteLost, tenants.LevelTrouble, "what", what)
	if r.firstTime(key) {
		r.Log.Error("records and reality contradict each other: a site has lost what nobody removed; restore it from a backup",
			"site", s.ID, "host", s.Host, "state", s.State, "lost", what)
	}
	return true, nil
}

func (r *Reconciler) missingParts(s tenants.Site, data bool, there *observed) string {
	var parts []string
	if !data {
		parts = append(parts, "data directory")
	}
	if d := there.of(s.ID).database(s.Database()); there.databases && s.Database() != "" {
		if !d.Database {
			parts = append(parts, "database "+s.Database())
		}
		if !d.User {
			parts = append(parts, "database user "+s.Database())
		}
	}
	return strings.Join(parts, ", ")
}
