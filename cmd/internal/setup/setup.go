package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/gofrs/flock"

	"chatiere/cmd/internal/config"
)

var (
	// ErrDiffers: an existing configuration contradicts an option.
	ErrDiffers = errors.New("the configuration says otherwise")
	// ErrBusy: another setup of the same root is running.
	ErrBusy = errors.New("another setup of this root is at work")
)

// Options are the choices on the command line. Zero values leave the choice to the file or the defaults.
type Options struct {
	Root     string
	Instance string
	Domain   string
	// PanelDomain is where panel and sign-in answer, as panel.… and id.…; empty for the sites' domain.
	PanelDomain string
	Language    string
	CoopName    string
	Contact     string
	HTTPSPort   int
	HTTPPort    int
	PublicPort  int
	// Images maps a container to the image it is made from; a container left out keeps the image it had.
	Images map[string]string
}

// Tools is what setup needs from outside.
type Tools struct {
	Environ  []string         // overrides of the configuration
	Clock    func() time.Time // for the certificates' lives
	Random   io.Reader        // for the secrets
	Progress func(line string)
}

// Report is what a run did.
type Report struct {
	Root     string   `json:"root"`
	Config   string   `json:"config"`
	Changed  []string `json:"changed"` // paths that were made or repaired
	PanelURL string   `json:"panel_url"`
	CA       string   `json:"ca_cert,omitempty"`
}

// run is one setup at work.
type run struct {
	tools   Tools
	options Options
	config  config.Config
	paths   config.Paths
	changed []string
}

// Run makes the data root what the configuration asks for.
// It returns ErrDiffers, wrapped, when an option contradicts an existing file, which it then leaves unchanged.
func Run(ctx context.Context, o Options, tools Tools) (Report, error) {
	if o.Root == "" {
		o.Root = config.DefaultRoot
	}
	r := &run{tools: tools, options: o, paths: config.PathsBelow(o.Root)}
	if err := os.MkdirAll(o.Root, 0o755); err != nil {
		return Report{}, fmt.Errorf("making the data root: %w", err)
	}
	unlock, err := lock(r.paths.SetupLock())
	if err != nil {
		return Report{}, err
	}
	defer unlock()
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"writing the configuration", r.configuration},
		{"making directories", r.directories},
		{"making secrets", r.secrets},
		{"making certificates", r.certificates},
		{"writing what the databases start with", r.databases},
		{"writing what Keycloak starts with", r.keycloak},
		{"writing what the containers are made from", r.compose},
	} {
		if err := ctx.Err(); err != nil {
			return Report{}, err
		}
		if err := step.do(); err != nil {
			return Report{}, fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return r.report(), nil
}

func (r *run) report() Report {
	report := Report{Root: r.paths.Root(), Config: r.paths.Config(), Changed: r.changed, PanelURL: r.config.PanelURL()}
	if r.config.TLS.Mode == config.TLSLocalCA {
		report.CA = r.paths.CA()
	}
	return report
}

// addChange records and reports a path that was made or repaired.
func (r *run) addChange(path string, changed bool) {
	if !changed {
		return
	}
	r.changed = append(r.changed, path)
	r.tools.Progress("wrote " + path)
}

// lock keeps a second setup away; the kernel frees it when the process ends, however it ends.
func lock(path string) (unlock func(), err error) {
	lock := flock.New(path)
	taken, err := lock.TryLock()
	if err == nil && !taken {
		err = ErrBusy
	}
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return func() { _ = lock.Close() }, nil
}
