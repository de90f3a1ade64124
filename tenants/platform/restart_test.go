package platform_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"chatiere/tenants/findings"
	"chatiere/tenants/findings/findingstest"
	"chatiere/tenants/platform"
	"chatiere/tenants/platform/platformtest"
)

func TestTheRestartCommandNamesTheInstanceAndItsComposeTool(t *testing.T) {
	compose := func(version string) map[string]string {
		return map[string]string{
			"com.docker.compose.project": "chatiere-lilas", "com.docker.compose.version": version,
			"com.docker.compose.project.working_dir": "/srv/chatiere", "com.docker.compose.project.config_files": "/srv/a.yml,/srv/b.yml",
		}
	}
	for name, c := range map[string]struct {
		instance string
		labels   map[string]string
		want     string
	}{
		"Compose 1":       {"lilas", compose("1.29.2"), "docker-compose -p chatiere-lilas --env-file /data/compose.env -f /srv/a.yml -f /srv/b.yml up -d worker"},
		"Compose 2":       {"lilas", compose("2.29.0"), "docker compose -p chatiere-lilas --env-file /data/compose.env -f /srv/a.yml -f /srv/b.yml up -d worker"},
		"demo":            {"demo", compose("2.29.0"), "cd /srv/chatiere && make demo"},
		"without Compose": {"lilas", nil, "docker start chatiere-lilas-worker"},
	} {
		file := filepath.Join(t.TempDir(), "platform.json")
		recorded, err := json.Marshal(map[string]any{"format": 1, "instance": c.instance, "parts": map[string]any{
			"worker": map[string]any{"name": "chatiere-worker", "recipe": platformtest.Making{Labels: c.labels}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, recorded, 0o600); err != nil {
			t.Fatal(err)
		}
		log := slog.New(slog.DiscardHandler)
		m := &platform.Monitor{
			Instance: c.instance, Self: "worker", ComposeEnv: "/data/compose.env", File: file, Engine: platformtest.New(),
			Findings: &findings.Store{Records: &findingstest.Records{}, Now: time.Now, Log: log}, Now: time.Now, Log: log,
		}
		m.Check(t.Context())
		if got := m.RestartCommand(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
