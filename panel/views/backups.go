package views

import "time"

// Backups is what a site's page tells of its snapshots.
type Backups struct {
	Rows    []BackupRow // newest first
	More    int         // how many there are beyond
	Save    bool        // offers to save now
	Restore bool        // offers to bring one back
	Running string      // id of the operation that saves now; "": none
}

// Last returns when the site was saved last, zero for never.
func (b Backups) Last() time.Time {
	if len(b.Rows) == 0 {
		return time.Time{}
	}
	return b.Rows[0].At
}

// BackupRow is one snapshot.
type BackupRow struct {
	ID      string
	At      time.Time
	Reason  SnapshotReason
	Bytes   int64
	Missing int // files that could not be saved
}

// SnapshotReason is why a snapshot was taken.
type SnapshotReason string

// The reasons. One without words is shown as SnapshotOther.
const (
	SnapshotDaily         SnapshotReason = "daily"
	SnapshotAsked         SnapshotReason = "asked"
	SnapshotBeforeRestore SnapshotReason = "before-restore"
	SnapshotOther         SnapshotReason = "other"
)

// RestorePath is where a snapshot is brought back.
func RestorePath(siteID, snapshotID string) string {
	return SitePath(siteID) + "/backups/" + snapshotID + "/restore"
}
