package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"chatiere/cmd/siteinit/internal/supervise"
)

const (
	configPath = "/etc/siteinit.json"
	// defaultGrace leaves Docker's own limit of ten seconds some room.
	defaultGrace = 8 * time.Second
)

// errConfig says that the image's configuration cannot be used.
var errConfig = errors.New("configuration of siteinit")

// config is the file that an image carries.
type config struct {
	Processes    []process `json:"processes"`
	StaleSockets []string  `json:"stale_sockets"`
	AccessSocket string    `json:"access_socket"` // where nginx asks about .htaccess; nothing: nowhere
	GraceSeconds int       `json:"grace_seconds"` // 0: eight
}

type process struct {
	Name    string   `json:"name"`
	Command []string `json:"command"`
	Stop    string   `json:"stop_signal"` // e.g. "QUIT"; nothing: TERM
	After   []string `json:"after"`       // sockets that have to be there first, for ten seconds at most
}

func readConfig(path string) (config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return config{}, fmt.Errorf("%w: %w", errConfig, err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var c config
	if err := decoder.Decode(&c); err != nil {
		return config{}, fmt.Errorf("%w: reading %s: %w", errConfig, path, err)
	}
	return c, nil
}

// processes checks the programs to run.
func (c config) processes() ([]supervise.Process, error) {
	if len(c.Processes) == 0 {
		return nil, fmt.Errorf("%w: no processes", errConfig)
	}
	var out []supervise.Process
	for _, p := range c.Processes {
		if p.Name == "" || len(p.Command) == 0 {
			return nil, fmt.Errorf("%w: a process needs a name and a command", errConfig)
		}
		stop, err := supervise.ParseSignal(p.Stop)
		if err != nil {
			return nil, fmt.Errorf("%w: process %s: %w", errConfig, p.Name, err)
		}
		out = append(out, supervise.Process{Name: p.Name, Command: p.Command, Stop: stop, After: p.After})
	}
	return out, nil
}

func (c config) grace() time.Duration {
	if c.GraceSeconds <= 0 {
		return defaultGrace
	}
	return time.Duration(c.GraceSeconds) * time.Second
}
