package watch

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// record is how one part of the platform is made.
type record struct {
	Name   string          `json:"name"`
	Recipe json.RawMessage `json:"recipe"` // in the engine's own words
}

// file is platform.json.
type file struct {
	Format   int               `json:"format"`
	Instance string            `json:"instance"`
	Parts    map[string]record `json:"parts"` // by role
}

const format = 1

// load reads the file. One that is missing, broken, or of another instance is no record: what is there now becomes it.
func (w *Watch) load() map[string]record {
	data, err := os.ReadFile(w.File)
	if errors.Is(err, os.ErrNotExist) {
		return map[string]record{}
	}
	var f file
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	if err != nil || f.Format != format || f.Instance != w.Instance || f.Parts == nil {
		w.Log.Warn("the file that says how the platform's containers are made cannot be used; it is written anew", "file", w.File, "error", err)
		return map[string]record{}
	}
	return f.Parts
}

// record keeps how a part is made, for this watch and the next.
func (w *Watch) record(r record, role string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	parts := maps.Clone(w.records)
	parts[role] = r
	text, err := json.MarshalIndent(file{Format: format, Instance: w.Instance, Parts: parts}, "", " ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", w.File, err)
	}
	// Environments may hold secrets.
	if err := renameio.WriteFile(w.File, text, 0o600, renameio.WithTempDir(filepath.Dir(w.File))); err != nil {
		return fmt.Errorf("writing %s: %w", w.File, err)
	}
	w.records = parts
	w.Log.Info("noted how a container of the platform is made", "role", role, "container", r.Name)
	return nil
}

// Record returns the labels with which a part was made; none for one that no record knows.
func (w *Watch) Record(role string) map[string]string {
	w.mu.Lock()
	r, known := w.records[role]
	w.mu.Unlock()
	if !known {
		return nil
	}
	labels, err := w.Engine.RecipeLabels(r.Recipe)
	if err != nil {
		return nil
	}
	return labels
}
