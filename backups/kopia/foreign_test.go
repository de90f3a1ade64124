package kopia_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kopia/kopia/fs"
	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/snapshot"
)

// The stock program may save in a repository as well; that must not keep ours from being used.
func TestSnapshotsOfTheStockProgramAreLeftOut(t *testing.T) {
	r, o := open(t)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "f"), []byte("f"), 0o600))
	s := save(t, r, dir, nil)
	ours, err := snapshot.ListSnapshotManifests(t.Context(), r.Raw(), nil, nil)
	must(t, err)
	m, err := snapshot.LoadSnapshot(t.Context(), r.Raw(), ours[0])
	must(t, err)
	must(t, repo.WriteSession(t.Context(), r.Raw(), repo.WriteSessionOptions{}, func(ctx context.Context, w repo.RepositoryWriter) error {
		for _, description := range []string{"", "by hand", m.Description} {
			foreign := *m
			foreign.Source.UserName, foreign.Description = "root", description
			foreign.StartTime = fs.UTCTimestampFromTime(time.Now())
			if _, err := snapshot.SaveSnapshot(ctx, w, &foreign); err != nil {
				return err
			}
		}
		return nil
	}))
	listed, err := reopen(t, o).Snapshots(t.Context())
	if err != nil || len(listed) != 1 || listed[0].ID != s.ID {
		t.Errorf("listed: %+v, %v; want ours alone", listed, err)
	}
}
