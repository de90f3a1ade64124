package platform

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
)

// record is the recorded configuration of one component.
type record struct {
	Name   string          `json:"name"`
	Config json.RawMessage `json:"recipe"` // in the engine's own format
}

// file is platform.json.
type file struct {
	Format   int               `json:"format"`
	Instance string            `json:"instance"`
	Parts    map[string]record `json:"parts"` // by role
}

const format = 1

// load reads the file. If it is missing, broken, or of another instance, the present containers are recorded.
func (w *Monitor) load() map[string]record {
	data, err := os.ReadFile(w.File)
	if errors.Is(err, os.ErrNotExist) {
		return map[string]record{}
	}
	var f file
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	if err != nil || f.Format != format || f.Instance != w.Instance || f.Parts == nil {
		w.Log.Warn("the file with the platform's container configurations cannot be used; it is written again", "file", w.File, "error", err)
		return map[string]record{}
	}
	return f.Parts
}

// saveRecord stores the configuration of a component.
func (w *Monitor) saveRecord(r record, role string) error {
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
	w.Log.Info("recorded the configuration of a platform container", "role", role, "container", r.Name)
	return nil
}

// recordLabels returns the recorded labels of a component; nil without a record.
func (w *Monitor) recordLabels(role string) map[string]string {
	w.mu.Lock()
	r, known := w.records[role]
	w.mu.Unlock()
	if !known {
		return nil
	}
	labels, err := w.Engine.ConfigLabels(r.Config)
	if err != nil {
		return nil
	}
	return labels
}

// RestartCommand returns the command with which a person restarts the container that runs the monitor, from the Compose
// labels of its record.
func (w *Monitor) RestartCommand() string {
	labels := w.recordLabels(w.Self)
	files := labels["com.docker.compose.project.config_files"]
	switch {
	case files == "":
		return "docker start chatiere-" + w.Instance + "-" + w.Self
	case w.Instance == "demo":
		return "cd " + labels["com.docker.compose.project.working_dir"] + " && make demo"
	}
	tool := "docker compose"
	if strings.HasPrefix(labels["com.docker.compose.version"], "1.") {
		tool = "docker-compose"
	}
	command := tool + " -p " + labels["com.docker.compose.project"] + " --env-file " + w.ComposeEnv
	for file := range strings.SplitSeq(files, ",") {
		command += " -f " + file
	}
	return command + " up -d " + w.Self
}
