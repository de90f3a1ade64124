// Package entrants tells sites which people may enter them, so that a session inside a site ends with the right at the
// co-op, and keeps note of the accounts inside sites that let in without the panel. It knows no application: what it
// tells lies in a file beside the site's secrets, what it notes comes from the template's hook "accounts".
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

// Records is what it reads and notes.
type Records interface {
	LiveSites(ctx context.Context) ([]tenants.Site, error)
	// Entrants returns who may enter the sites of each association, by its id, and of all of them, under "".
	Entrants(ctx context.Context) (map[string][]tenants.Entrant, error)
	// SaveSiteAccounts replaces what is known of one site.
	SaveSiteAccounts(ctx context.Context, siteID string, accounts []tenants.SiteAccount) error
}

// Files hands a site its list; changed is false when it has it already.
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

// surveyEvery is how old the knowledge of a site's accounts may be while nobody's right changes.
const surveyEvery = 12 * time.Hour

// surveyAgain is how long a site whose accounts could not be listed is left alone: sites keep the image they were made
// from, and one from before the hook has none.
const surveyAgain = 10 * time.Minute

// Keeper holds the ports.
type Keeper struct {
	Issuer  string // the identity provider that gives people their subjects
	Records Records
	Files   Files
	Hooks   Hooks
	Now     func() time.Time
	Log     *slog.Logger

	mu     sync.Mutex
	due    map[string]bool    // by site: its list changed since its accounts were looked at
	turns  map[string]int64   // by site: the turn in which they were last looked at
	failed map[string]failure // by site: why that did not work
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

// Publish hands every site its list, as the records have it now.
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
		k.mark(s.ID)
	}
	return err
}

func (k *Keeper) mark(siteID string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.due == nil {
		k.due = map[string]bool{}
	}
	k.due[siteID] = true
}

// Survey notes the accounts of the ready sites whose list changed, and from time to time of every other, one by one. What
// is wrong with one site is logged when it is new: it is no fault of the round.
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
		k.note(ctx, s.ID, err)
	}
	return nil
}

func (k *Keeper) note(ctx context.Context, siteID string, err error) {
	if err != nil {
		k.mark(siteID)
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

// dueSites takes the sites whose turn it is; one that does not run keeps its turn.
func (k *Keeper) dueSites(sites []tenants.Site) []tenants.Site {
	k.mu.Lock()
	defer k.mu.Unlock()
	turns, waiting := map[string]int64{}, map[string]bool{}
	var due []tenants.Site
	for _, s := range sites {
		turn := turnOf(k.Now(), s.ID)
		last, known := k.turns[s.ID]
		wanted := k.due[s.ID] || known && last != turn
		resting := k.Now().Sub(k.failed[s.ID].at) < surveyAgain
		if wanted && (s.State != tenants.StateReady || resting) {
			waiting[s.ID] = true
		} else if wanted {
			due = append(due, s)
		}
		turns[s.ID] = turn
	}
	k.turns, k.due = turns, waiting
	return due
}

// turnOf numbers the stretches of surveyEvery, which begin at an instant of each site's own.
func turnOf(at time.Time, siteID string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(siteID)) // never fails
	return (at.UnixNano() + int64(h.Sum64()%uint64(surveyEvery))) / int64(surveyEvery)
}

// identity is somebody as a site was told of them.
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
