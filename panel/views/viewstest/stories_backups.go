package viewstest

import (
	"time"

	"chatiere/panel/views"
)

// backups has a snapshot of each reason, the last one without some files.
func backups() *views.Backups {
	return &views.Backups{Save: true, Restore: true, Rows: []views.BackupRow{
		{ID: "k3", At: Now.Add(-9 * time.Hour), Reason: views.SnapshotDaily, Bytes: 731 << 20, Missing: 3},
		{ID: "k2", At: Now.Add(-30 * time.Hour), Reason: views.SnapshotBeforeRestore, Bytes: 730 << 20},
		{ID: "k1", At: Now.Add(-31 * time.Hour), Reason: views.SnapshotAsked, Bytes: 12 << 10},
	}}
}
