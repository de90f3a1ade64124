package tenants

import "time"

// Snapshot is a saved state of a site's data, as its association's repository lists it.
type Snapshot struct {
	ID            string // in the repository; pinning changes it
	SiteID        string
	AssociationID string
	Reason        SnapshotReason
	TakenAt       time.Time
	EndedAt       time.Time
	Template      string
	Version       string
	Files         int64 // files, directories and links
	Bytes         int64 // of all files and the database's dump
	DatabaseBytes int64 // of the dump; 0: the site has no database
	// Missing names files that could not be saved, at most some hundreds; MissingCount counts them all.
	Missing      []string
	MissingCount int64
	Pinned       bool // kept whatever the retention says
}

// SnapshotReason is why a snapshot was taken.
type SnapshotReason string

// The reasons, as stored in repositories.
const (
	SnapshotDaily         SnapshotReason = "daily"
	SnapshotAsked         SnapshotReason = "asked"
	SnapshotBeforeRestore SnapshotReason = "before-restore"
)
