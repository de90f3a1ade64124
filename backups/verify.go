package backups

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// Part selects a share of what is stored, so that all of it is read again within Of runs. The zero value selects everything.
type Part struct{ Number, Of int }

func (p Part) has(object string) bool {
	if p.Of <= 1 {
		return true
	}
	h := fnv.New32a()
	_, _ = io.WriteString(h, object) // never fails
	return int(h.Sum32()%uint32(p.Of)) == p.Number%p.Of
}

// Verified is what Verify found.
type Verified struct {
	Objects, Bytes int64 // that were read
	// Damaged names what cannot be restored, at most MaxMissed, by snapshot and path.
	Damaged []DamagedEntry
	// DamagedCount counts also those beyond.
	DamagedCount int64
}

// DamagedEntry is something that cannot be restored.
type DamagedEntry struct {
	SnapshotID string `json:"snapshot"`
	Path       string `json:"path"`
	Why        string `json:"why"`
}

// Verify reads the objects of the snapshots again and compares them with their hashes, each once however many snapshots
// share it. Manifests and dumps are read always. An error means that it could not be told; damage is in the result.
func Verify(ctx context.Context, repository Repository, snapshots []Snapshot, part Part, progress func(Progress)) (Verified, error) {
	v := verifier{repository: repository, part: part, progress: progress, seen: map[string]error{}}
	for _, s := range snapshots {
		if err := v.snapshot(ctx, s); err != nil {
			return v.found, err
		}
	}
	return v.found, nil
}

type verifier struct {
	repository Repository
	part       Part
	progress   func(Progress)
	seen       map[string]error // by object; nil: as saved
	found      Verified
}

func (v *verifier) snapshot(ctx context.Context, s Snapshot) error {
	if s.Database != nil {
		if err := v.object(ctx, s.ID, databaseName, s.Database.Object); err != nil {
			return err
		}
	}
	if s.Manifest.ID == "" {
		return nil
	}
	err := eachEntry(ctx, v.repository, s.Manifest, func(e Entry) error {
		if e.Object == "" || !v.part.has(e.Object) {
			return nil
		}
		return v.object(ctx, s.ID, string(e.Path), Object{ID: e.Object, SHA256: e.SHA256})
	})
	return v.note(s.ID, manifestName, err)
}

// object reads one object, unless that was done.
func (v *verifier) object(ctx context.Context, snapshotID, path string, o Object) error {
	err, known := v.seen[o.ID]
	if !known {
		err = v.read(ctx, o)
		v.seen[o.ID] = err
	}
	return v.note(snapshotID, path, err)
}

func (v *verifier) read(ctx context.Context, o Object) error {
	stored, err := v.repository.Open(ctx, o.ID)
	if err != nil {
		return err
	}
	defer func() { _ = stored.Close() }() // only read
	sum := sha256.New()
	n, err := io.Copy(sum, stored)
	v.found.Objects++
	v.found.Bytes += n
	if v.progress != nil {
		v.progress(Progress{Files: v.found.Objects, Bytes: v.found.Bytes})
	}
	if err != nil {
		return err
	}
	return compareSum(sum, o.SHA256, "the object")
}

// note counts damage and passes on what is none.
func (v *verifier) note(snapshotID, path string, err error) error {
	if err == nil || !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotFound) {
		return err
	}
	if v.found.DamagedCount++; len(v.found.Damaged) < MaxMissed {
		v.found.Damaged = append(v.found.Damaged, DamagedEntry{SnapshotID: snapshotID, Path: path, Why: fmt.Sprintf("%.300v", err)})
	}
	return nil
}
