package jobs

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

// The nightly backups are spread over the minutes from half past midnight to shortly before two and from three to half past
// five, Paris time: the hour in between does not exist once a year, and exists twice once a year.
const (
	backupFrom    = 30 // minutes after midnight
	backupPause   = 110
	backupGoesOn  = 180
	backupUntil   = 330
	backupMinutes = backupPause - backupFrom + backupUntil - backupGoesOn
)

// newSite is how old a site is before its first nightly backup.
const newSite = 6 * time.Hour

// BackupRecords is what the schedule of backups reads.
type BackupRecords interface {
	LiveSites(ctx context.Context) ([]tenants.Site, error)
	// NewestSnapshots returns when each site was saved last, by site.
	NewestSnapshots(ctx context.Context) (map[string]time.Time, error)
}

// Backups asks for each site's nightly backup.
type Backups struct {
	Records  BackupRecords
	Requests interface {
		BackUpSite(ctx context.Context, r provision.Request, siteID string) (operations.Operation, error)
	}
	Zone *time.Location
	Now  func() time.Time
}

// Ask asks for the backup of every site whose time has come since it was saved last. A night that the machine slept through
// is made up for as soon as it is awake. What failed is asked for again the next night: the operation itself tries for
// hours, and then shows a person why.
func (b *Backups) Ask(ctx context.Context) error {
	sites, err := b.Records.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("listing the sites to back up: %w", err)
	}
	newest, err := b.Records.NewestSnapshots(ctx)
	if err != nil {
		return err
	}
	var faults []error
	for _, s := range sites {
		due := b.due(s.ID)
		if s.State != tenants.StateReady && s.State != tenants.StateSuspended || s.Release.ID == "" ||
			s.CreatedAt.Add(newSite).After(due) || newest[s.ID].After(due) {
			continue
		}
		key := "backup:" + s.ID + ":" + due.Format(time.DateOnly)
		_, err := b.Requests.BackUpSite(ctx, provision.Request{Principal: tenants.System(), Key: key}, s.ID)
		if err != nil && !errors.Is(err, operations.ErrBusy) && !errors.Is(err, tenants.ErrConflict) {
			faults = append(faults, fmt.Errorf("asking for the backup of site %s: %w", s.ID, err))
		}
	}
	return errors.Join(faults...)
}

// due returns when the site's last backup should have begun.
func (b *Backups) due(siteID string) time.Time {
	h := fnv.New32a()
	_, _ = h.Write([]byte(siteID)) // never fails
	minute := backupFrom + int(h.Sum32()%backupMinutes)
	if minute >= backupPause {
		minute += backupGoesOn - backupPause
	}
	now := b.Now().In(b.Zone)
	at := time.Date(now.Year(), now.Month(), now.Day(), 0, minute, 0, 0, b.Zone)
	if at.After(now) {
		at = time.Date(now.Year(), now.Month(), now.Day()-1, 0, minute, 0, 0, b.Zone)
	}
	return at
}
