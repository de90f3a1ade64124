// Package entrants gives each site the list of people who may enter it, so that a session inside a site ends with the right
// at the co-op, and records the accounts inside sites that work without the panel. It knows no application: the list is a
// file beside the site's secrets, the accounts come from the template's hook "accounts". Start reading at Keeper.
package entrants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"sync"
	"time"

	"chatiere/tenants"
)

// Records reads who may enter and stores the accounts.
type Records interface {
	LiveSites(ctx context.Context) ([]tenants.Site, error)
	// Entrants returns who may enter the sites of each association, by its id, and of all of them, under "".
	Entrants(ctx context.Context) (map[string][]tenants.Entrant, error)
	// SaveSiteAccounts replaces what is known of one site.
	SaveSiteAccounts(ctx context.Context, siteID string, accounts []tenants.SiteAccount) error
}

// Files writes a site's list; changed is false if the site has it already.
type Files interface {
	SaveEntrants(ctx context.Context, s tenants.Site, content []byte) (changed bool, err error)
}

// Hooks runs a hook of a site's template in its running container and returns what it printed; a template without that
// hook prints nothing.
type Hooks interface {
	RunHook(ctx context.Context, s tenants.Site, name string) (string, error)
}

// Hook lists the accounts inside a site.
const Hook = "accounts"

// surveyInterval is how old a site's recorded accounts may be while nobody's rights change.
const surveyInterval = 12 * time.Hour

// retryInterval is how long a site whose accounts could not be listed is not asked again: sites keep the image they were made
// from, and one from before the hook has none.
const retryInterval = 10 * time.Minute

// Keeper publishes the lists and surveys the accounts.
type Keeper struct {
	Issuer  string // the identity provider that gives people their subjects
	Records Records
	Files   Files
	Hooks   Hooks
	Now     func() time.Time
	Log     *slog.Logger

	mu      sync.Mutex
	due     map[string]bool    // by site: its list changed since its accounts were listed
	periods map[string]int64   // by site: the period in which they were last listed
	failed  map[string]failure // by site: why that failed
}

type failure struct {
	at  time.Time
	why string
}

// list is the file that a site reads.
type list struct {
	Issuer string           `json:"issuer"`
	People map[string]int64 `json:"people"` // by subject: all their sessions that began by then are over, in seconds
}

// Publish writes every site's list from the records.
func (k *Keeper) Publish(ctx context.Context) error {
	sites, err := k.Records.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("listing live sites: %w", err)
	}
	entrants, err := k.Records.Entrants(ctx)
	if err != nil {
		return fmt.Errorf("listing who may enter sites: %w", err)
	}
	var faults []error
	for _, s := range sites {
		if s.State == tenants.StateCreating {
			continue // it has no directory yet
		}
		if err := k.publish(ctx, s, entrants); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

func (k *Keeper) publish(ctx context.Context, s tenants.Site, entrants map[string][]tenants.Entrant) error {
	l := list{Issuer: k.Issuer, People: map[string]int64{}}
	for _, group := range []string{"", s.AssociationID} {
		for _, e := range entrants[group] {
			l.People[e.Subject] = 0
			if !e.SignedOutAt.IsZero() {
				l.People[e.Subject] = e.SignedOutAt.Unix()
			}
		}
	}
	content, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("writing who may enter site %s: %w", s.ID, err)
	}
	changed, err := k.Files.SaveEntrants(ctx, s, append(content, '\n'))
	if changed {
		k.markDue(s.ID)
	}
	return err
}

func (k *Keeper) markDue(siteID string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.due == nil {
		k.due = map[string]bool{}
	}
	k.due[siteID] = true
}

// Survey records the accounts of the ready sites whose list changed, and every twelve hours those of every other, one by
// one. A site's error is logged once and is no error of the round.
func (k *Keeper) Survey(ctx context.Context) error {
	sites, err := k.Records.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("listing live sites: %w", err)
	}
	for _, s := range k.dueSites(sites) {
		err := k.survey(ctx, s)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		k.recordResult(ctx, s.ID, err)
	}
	return nil
}

func (k *Keeper) recordResult(ctx context.Context, siteID string, err error) {
	if err != nil {
		k.markDue(siteID)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		delete(k.failed, siteID)
		return
	}
	if k.failed == nil {
		k.failed = map[string]failure{}
	}
	if k.failed[siteID].why != err.Error() {
		k.Log.WarnContext(ctx, "accounts inside a site not listed", "site", siteID, "error", err)
	}
	k.failed[siteID] = failure{k.Now(), err.Error()}
}

// dueSites returns and clears the sites that are due; one that does not run stays due.
func (k *Keeper) dueSites(sites []tenants.Site) []tenants.Site {
	k.mu.Lock()
	defer k.mu.Unlock()
	periods, waiting := map[string]int64{}, map[string]bool{}
	var due []tenants.Site
	for _, s := range sites {
		period := periodOf(k.Now(), s.ID)
		last, known := k.periods[s.ID]
		wanted := k.due[s.ID] || known && last != period
		resting := k.Now().Sub(k.failed[s.ID].at) < retryInterval
		if wanted && (s.State != tenants.StateReady || resting) {
			waiting[s.ID] = true
		} else if wanted {
			due = append(due, s)
		}
		periods[s.ID] = period
	}
	k.periods, k.due = periods, waiting
	return due
}

// periodOf numbers the periods of surveyInterval, which begin at a different instant for each site.
func periodOf(at time.Time, siteID string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(siteID)) // never fails
	return (at.UnixNano() + int64(h.Sum64()%uint64(surveyInterval))) / int64(surveyInterval)
}

// identity is a person as the site's assertions name them.
type identity struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
}

// found is one account as the hook prints it.
type found struct {
	Login         string     `json:"login"`
	Local         bool       `json:"local"`
	Administrator bool       `json:"administrator"`
	Keys          int        `json:"keys"`
	People        []identity `json:"people"`
}

func (k *Keeper) survey(ctx context.Context, s tenants.Site) error {
	printed, err := k.Hooks.RunHook(ctx, s, Hook)
	if err != nil {
		return fmt.Errorf("listing the accounts of site %s: %w", s.ID, err)
	}
	var answer struct {
		Accounts []found `json:"accounts"`
	}
	if printed != "" {
		if err := json.Unmarshal([]byte(printed), &answer); err != nil {
			return fmt.Errorf("reading the accounts of site %s: %w", s.ID, err)
		}
	}
	accounts := make([]tenants.SiteAccount, 0, len(answer.Accounts))
	for _, f := range answer.Accounts {
		a := tenants.SiteAccount{SiteID: s.ID, Login: f.Login, Local: f.Local, Administrator: f.Administrator, Keys: f.Keys}
		for _, p := range f.People {
			if p.Issuer == k.Issuer { // another realm's subjects are nobody's here
				a.Subjects = append(a.Subjects, p.Subject)
			}
		}
		accounts = append(accounts, a)
	}
	return k.Records.SaveSiteAccounts(ctx, s.ID, accounts)
}
