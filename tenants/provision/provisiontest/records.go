// Package provisiontest holds stateful in-memory fakes of the ports of provision, for tests. It is never imported by the
// program.
package provisiontest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/operations/operationstest"
	"chatiere/tenants/provision"
)

// Records keeps associations, sites and the audit trail in memory, and the operations beside them.
type Records struct {
	*operationstest.Store

	tx           sync.Mutex // one transaction at a time
	mu           sync.Mutex
	associations map[string]tenants.Association
	sites        map[string]tenants.Site
	releases     map[string]tenants.Release
	definitions  map[string]tenants.Definition // by release
	snapshots    map[string][]tenants.Snapshot // by association
	nextUID      int
	Trail        []tenants.AuditEntry
	NoTrail      bool // appending to the trail fails
}

var _ provision.Records = (*Records)(nil)

// NewRecords returns empty records.
func NewRecords(now func() time.Time) *Records {
	return &Records{
		Store: operationstest.NewStore(now), associations: map[string]tenants.Association{}, sites: map[string]tenants.Site{},
		releases: map[string]tenants.Release{}, definitions: map[string]tenants.Definition{},
		snapshots: map[string][]tenants.Snapshot{},
		nextUID:   200000,
	}
}

type inTransaction struct {
	inserted []string
	before   []operations.Operation // what Cancel and Retry changed
}

type txKey struct{}

// Transact implements provision.Records: an error brings back what was before.
func (r *Records) Transact(ctx context.Context, fn func(context.Context) error) error {
	r.tx.Lock()
	defer r.tx.Unlock()
	r.mu.Lock()
	associations, sites, trail := maps.Clone(r.associations), maps.Clone(r.sites), len(r.Trail)
	releases, definitions := maps.Clone(r.releases), maps.Clone(r.definitions)
	r.mu.Unlock()
	tx := &inTransaction{}
	err := fn(context.WithValue(ctx, txKey{}, tx))
	if err != nil {
		r.mu.Lock()
		r.associations, r.sites, r.Trail = associations, sites, r.Trail[:trail]
		r.releases, r.definitions = releases, definitions
		r.mu.Unlock()
		for _, op := range tx.before {
			r.Put(op)
		}
		for _, id := range tx.inserted {
			r.Forget(id)
		}
	}
	return err
}

// Insert implements operations.Queue with Transact's way back.
func (r *Records) Insert(ctx context.Context, op operations.Operation) (operations.Operation, error) {
	got, err := r.Store.Insert(ctx, op)
	if tx, ok := ctx.Value(txKey{}).(*inTransaction); ok && err == nil && got.ID == op.ID {
		tx.inserted = append(tx.inserted, op.ID)
	}
	return got, err
}

// Cancel implements operations.Queue with Transact's way back.
func (r *Records) Cancel(ctx context.Context, id string) error {
	r.keep(ctx, id)
	return r.Store.Cancel(ctx, id)
}

// Retry implements operations.Queue with Transact's way back.
func (r *Records) Retry(ctx context.Context, id string) error {
	r.keep(ctx, id)
	return r.Store.Retry(ctx, id)
}

func (r *Records) keep(ctx context.Context, id string) {
	tx, inside := ctx.Value(txKey{}).(*inTransaction)
	if op, err := r.Operation(ctx, id); inside && err == nil {
		tx.before = append(tx.before, op)
	}
}

// Claim implements operations.Store: what a running transaction has inserted is not seen before it is over.
func (r *Records) Claim(ctx context.Context, owner string, lanes []operations.Lane, ttl time.Duration) (operations.Operation, error) {
	r.tx.Lock()
	defer r.tx.Unlock()
	return r.Store.Claim(ctx, owner, lanes, ttl)
}

// CreateAssociation implements provision.Records.
func (r *Records) CreateAssociation(_ context.Context, a tenants.Association) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.associations {
		if o.Slug == a.Slug && o.State != tenants.AssociationDeleted {
			return tenants.ErrConflict
		}
	}
	r.associations[a.ID] = a
	return nil
}

// UpdateAssociation implements provision.Records.
func (r *Records) UpdateAssociation(_ context.Context, a tenants.Association) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.associations[a.ID] = a
	return nil
}

// Association implements provision.Records.
func (r *Records) Association(_ context.Context, id string) (tenants.Association, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, ok := r.associations[id]
	if !ok {
		return a, tenants.ErrNotFound
	}
	return a, nil
}

// AssociationBySlug implements provision.Records.
func (r *Records) AssociationBySlug(_ context.Context, slug string) (tenants.Association, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.associations {
		if a.Slug == slug && a.State != tenants.AssociationDeleted {
			return a, nil
		}
	}
	return tenants.Association{}, tenants.ErrNotFound
}

// Associations implements provision.Records.
func (r *Records) Associations(context.Context) ([]tenants.Association, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []tenants.Association
	for _, a := range r.associations {
		if a.State != tenants.AssociationDeleted {
			out = append(out, a)
		}
	}
	return out, nil
}

// CreateSite implements provision.Records.
func (r *Records) CreateSite(_ context.Context, s *tenants.Site) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.sites {
		if o.Host == s.Host && o.State.Live() {
			return tenants.ErrConflict
		}
	}
	s.UID = r.nextUID
	r.nextUID++
	r.sites[s.ID] = *s
	return nil
}

// UpdateSite implements provision.Records.
func (r *Records) UpdateSite(_ context.Context, s tenants.Site) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	had := r.sites[s.ID]
	s.UpdateAvailable, s.Release = had.UpdateAvailable, had.Release // as the real one, which leaves them alone
	r.sites[s.ID] = s
	return nil
}

// NextRelease implements provision.Records.
func (r *Records) NextRelease(_ context.Context, siteID string) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := 1
	for _, have := range r.releases {
		if have.SiteID == siteID {
			next = max(next, have.Number+1)
		}
	}
	return next, nil
}

// CreateRelease implements provision.Records.
func (r *Records) CreateRelease(_ context.Context, release *tenants.Release, d tenants.Definition) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, have := range r.releases {
		switch {
		case have.SiteID != release.SiteID:
		case release.OperationID != "" && have.OperationID == release.OperationID:
			*release = have
			return nil
		case have.Number == release.Number:
			return tenants.ErrConflict
		}
	}
	r.releases[release.ID], r.definitions[release.ID] = *release, d
	return nil
}

// Release implements provision.Records.
func (r *Records) Release(_ context.Context, id string) (tenants.Release, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	release, ok := r.releases[id]
	if !ok {
		return release, tenants.ErrNotFound
	}
	return release, nil
}

// Releases returns the releases of a site, by number.
func (r *Records) Releases(siteID string) []tenants.Release {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []tenants.Release
	for _, release := range r.releases {
		if release.SiteID == siteID {
			out = append(out, release)
		}
	}
	slices.SortFunc(out, func(a, b tenants.Release) int { return a.Number - b.Number })
	return out
}

// Definition implements provision.Records.
func (r *Records) Definition(_ context.Context, releaseID string) (tenants.Definition, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.definitions[releaseID]
	if !ok {
		return d, tenants.ErrNotFound
	}
	return d, nil
}

// SetRelease implements provision.Records.
func (r *Records) SetRelease(_ context.Context, release tenants.Release) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sites[release.SiteID]
	s.Release = release
	r.sites[s.ID] = s
	return nil
}

// DeleteRelease implements provision.Records.
func (r *Records) DeleteRelease(_ context.Context, siteID, operationID string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, have := range r.releases {
		if have.SiteID == siteID && have.OperationID == operationID && r.sites[siteID].Release.ID != id {
			delete(r.releases, id)
			delete(r.definitions, id)
		}
	}
	return nil
}

// SaveUpdateAvailable implements provision.Records.
func (r *Records) SaveUpdateAvailable(_ context.Context, siteID, releaseID string, available bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sites[siteID]
	if s.Release.ID == releaseID {
		s.UpdateAvailable = available
		r.sites[siteID] = s
	}
	return nil
}

// Site implements provision.Records.
func (r *Records) Site(_ context.Context, id string) (tenants.Site, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.sites[id]
	if !ok {
		return s, tenants.ErrNotFound
	}
	return s, nil
}

// LiveSites implements provision.Records.
func (r *Records) LiveSites(context.Context) ([]tenants.Site, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []tenants.Site
	for _, s := range r.sites {
		if s.State.Live() {
			out = append(out, s)
		}
	}
	return out, nil
}

// HostTaken implements provision.Records.
func (r *Records) HostTaken(_ context.Context, host string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sites {
		if s.Host == host && s.State.Live() {
			return true, nil
		}
	}
	return false, nil
}

// Audit implements provision.Records.
func (r *Records) Audit(_ context.Context, e tenants.AuditEntry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.NoTrail {
		return tenants.ErrUnavailable
	}
	r.Trail = append(r.Trail, e)
	return nil
}

// Audited returns the audit trail so far.
func (r *Records) Audited() []tenants.AuditEntry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.Trail)
}

// LastGeneration returns the highest generation of a site's releases.
func (r *Records) LastGeneration(_ context.Context, siteID string) (int, error) {
	last := 0
	for _, x := range r.Releases(siteID) {
		last = max(last, x.Generation)
	}
	return last, nil
}

// SaveSnapshots replaces the list of an association's snapshots.
func (r *Records) SaveSnapshots(_ context.Context, associationID string, all []tenants.Snapshot) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.snapshots[associationID] = slices.Clone(all)
	return nil
}

// Snapshot returns one that the site has.
func (r *Records) Snapshot(ctx context.Context, siteID, id string) (tenants.Snapshot, error) {
	all, err := r.Snapshots(ctx, siteID)
	for _, x := range all {
		if x.ID == id {
			return x, err
		}
	}
	return tenants.Snapshot{}, tenants.ErrNotFound
}

// Snapshots returns those of a site, newest first.
func (r *Records) Snapshots(_ context.Context, siteID string) ([]tenants.Snapshot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []tenants.Snapshot
	for _, all := range r.snapshots {
		for _, x := range all {
			if x.SiteID == siteID {
				out = append(out, x)
			}
		}
	}
	slices.SortFunc(out, func(a, b tenants.Snapshot) int { return b.TakenAt.Compare(a.TakenAt) })
	return out, nil
}
