package wire_test

import (
	"testing"

	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/wire"
)

func TestTheCommandThatBringsTheWorkerBackIsThisInstances(t *testing.T) {
	labels := func(version string) map[string]string {
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
		"made by Compose 1": {"lilas", labels("1.29.2"), "docker-compose -p chatiere-lilas --env-file /data/compose.env -f /srv/a.yml -f /srv/b.yml up -d worker"},
		"made by Compose 2": {"lilas", labels("2.29.0"), "docker compose -p chatiere-lilas --env-file /data/compose.env -f /srv/a.yml -f /srv/b.yml up -d worker"},
		"the demo":          {"demo", labels("2.29.0"), "cd /srv/chatiere && make demo"},
		"made otherwise":    {"lilas", nil, "docker start chatiere-lilas-worker"},
	} {
		if got := wire.Revival(config.Config{Instance: c.instance, Root: "/data"}, c.labels); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
