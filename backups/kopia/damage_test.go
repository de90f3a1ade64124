package kopia_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chatiere/backups"
	"chatiere/backups/kopia"
)

// blobs returns the packs of a repository.
func blobs(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasPrefix(strings.TrimPrefix(path, dir+"/"), "p") {
			out = append(out, path)
		}
		return err
	}))
	return out
}

// Damage is found by reading everything again, and never restored as if it were good.
func TestDamageIsFoundAndNeverRestored(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, path string, p []byte, r *rand.Rand){
		"flipped bits": func(t *testing.T, path string, p []byte, r *rand.Rand) {
			for range 40 { // a pack may hold contents that no snapshot needs
				p[r.IntN(len(p))] ^= 1 << r.IntN(8)
			}
			must(t, os.WriteFile(path, p, 0o600))
		},
		"cut off": func(t *testing.T, path string, p []byte, _ *rand.Rand) {
			must(t, os.WriteFile(path, p[:len(p)/4], 0o600))
		},
		"deleted": func(t *testing.T, path string, _ []byte, _ *rand.Rand) { must(t, os.Remove(path)) },
		"empty":   func(t *testing.T, path string, _ []byte, _ *rand.Rand) { must(t, os.WriteFile(path, nil, 0o600)) },
	} {
		t.Run(name, func(t *testing.T) {
			o := kopia.Options{Dir: filepath.Join(t.TempDir(), "repository"), Password: "a password"}
			must(t, kopia.Create(t.Context(), o))
			written := reopen(t, o)
			dir := t.TempDir()
			random := rand.New(rand.NewPCG(7, 7))
			for _, file := range []string{"a", "b", "c"} {
				p := make([]byte, 300_000)
				for i := range p {
					p[i] = byte(random.Uint32())
				}
				must(t, os.WriteFile(filepath.Join(dir, file), p, 0o600))
			}
			s := save(t, written, dir, nil)
			compare(t, portrait(t, dir), portrait(t, restore(t, written, s)))
			packs := blobs(t, o.Dir)
			if len(packs) == 0 {
				t.Fatal("the repository has no packs")
			}
			p, err := os.ReadFile(packs[0])
			must(t, err)
			damage(t, packs[0], bytes.Clone(p), random)

			fresh := reopen(t, o)
			found, err := backups.Verify(t.Context(), fresh, []backups.Snapshot{s}, backups.Part{}, nil)
			must(t, err)
			if found.DamagedCount == 0 || found.Damaged[0].SnapshotID != s.ID {
				t.Errorf("nothing was found: %+v", found)
			}
			out := t.TempDir()
			if err := backups.Restore(t.Context(), fresh, s, out, backups.RestoreOptions{}); !errors.Is(err, backups.ErrDamaged) {
				t.Errorf("restored with %v, want damage", err)
			}
			must(t, os.WriteFile(packs[0], p, 0o600)) // as a mirror would heal it
			healed := reopen(t, o)
			if found, err := backups.Verify(t.Context(), healed, []backups.Snapshot{s}, backups.Part{}, nil); err != nil || found.DamagedCount != 0 || found.Objects < 3 {
				t.Errorf("after healing: %+v, %v", found, err)
			}
		})
	}
}

func TestAllPartsTogetherReadEverything(t *testing.T) {
	r, _ := open(t)
	dir := t.TempDir()
	for i := range 60 {
		must(t, os.WriteFile(filepath.Join(dir, strings.Repeat("f", i+1)), []byte(strings.Repeat("x", i+1)), 0o600))
	}
	s := save(t, r, dir, nil)
	var objects int64
	largest := int64(0)
	for n := range 28 {
		v, err := backups.Verify(t.Context(), r, []backups.Snapshot{s}, backups.Part{Number: n, Of: 28}, nil)
		must(t, err)
		objects, largest = objects+v.Objects, max(largest, v.Objects)
	}
	if objects != 60 || largest > 12 {
		t.Errorf("28 parts read %d objects, the largest %d; want all 60, spread", objects, largest)
	}
}

func TestDeletedSnapshotsAreGoneAndPinnedOnesStay(t *testing.T) {
	r, o := open(t)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "f"), []byte("f"), 0o600))
	var ids []string
	for range 3 {
		ids = append(ids, save(t, r, dir, nil).ID)
	}
	must(t, r.Write(t.Context(), func(ctx context.Context, w backups.Writer) error {
		if err := w.Delete(ctx, ids[0]); err != nil {
			return err
		}
		var err error
		ids[1], err = w.Pin(ctx, ids[1], true)
		return err
	}))
	again := reopen(t, o)
	listed, err := again.Snapshots(t.Context())
	must(t, err)
	if len(listed) != 2 || listed[0].ID != ids[1] || !listed[0].Pinned || listed[1].ID != ids[2] || listed[1].Pinned {
		t.Errorf("listed: %+v", listed)
	}
	err = again.Write(t.Context(), func(ctx context.Context, w backups.Writer) error {
		_, err := w.Pin(ctx, "0123456789abcdef0123456789abcdef", true)
		return err
	})
	if !errors.Is(err, backups.ErrNotFound) {
		t.Errorf("pinning an unknown snapshot: %v", err)
	}
	must(t, again.Maintain(t.Context()))
	compare(t, portrait(t, dir), portrait(t, restore(t, again, listed[1])))
}
