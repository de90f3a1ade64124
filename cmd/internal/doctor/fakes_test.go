package doctor_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/moby/sys/mountinfo"

	"chatiere/cmd/internal/doctor"
	"chatiere/panel/api"
	"chatiere/tenants"
	"chatiere/tenants/audit"
	"chatiere/tenants/schedule"
)

var now = time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)

type engine struct {
	info tenants.EngineInfo
	err  error
}

func (e engine) Info(context.Context) (tenants.EngineInfo, error) { return e.info, e.err }

type database struct {
	clock time.Time
	err   error
}

func (d database) Clock(context.Context) (time.Time, error) { return d.clock, d.err }

// service answers err at once; a silent one answers nothing until nobody waits any more.
type service struct {
	err    error
	silent bool
}

func (s service) Ping(ctx context.Context) error {
	if s.silent {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.err
}

// mounts takes point, type and options of each.
func mounts(told ...string) doctor.Mounts {
	return func() (all []*mountinfo.Info, err error) {
		for m := range slices.Chunk(told, 3) {
			all = append(all, &mountinfo.Info{Mountpoint: m[0], FSType: m[1], VFSOptions: m[2]})
		}
		return all, nil
	}
}

type silentDatabase struct{}

func (silentDatabase) Clock(ctx context.Context) (time.Time, error) {
	<-ctx.Done()
	return time.Time{}, ctx.Err()
}

type silentEngine struct{}

func (silentEngine) Info(ctx context.Context) (tenants.EngineInfo, error) {
	<-ctx.Done()
	return tenants.EngineInfo{}, ctx.Err()
}

// certificate writes one that is valid between two instants.
func certificate(t *testing.T, from, until time.Time) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"*.lilas.example"}, NotBefore: from, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return file(t, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func file(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wildcard.pem")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// well is a platform with nothing amiss. Its root is a file system without blocks, so that it cannot be full.
func well(t *testing.T) doctor.Doctor {
	t.Helper()
	return doctor.Doctor{
		Root: "/proc", Mounts: mounts("/", "ext4", "rw,relatime"),
		Engine:   engine{info: tenants.EngineInfo{Version: "27.1", APIVersion: "1.46", CgroupVersion: "2", LiveRestore: true}},
		Database: database{clock: now}, SitesDatabase: service{}, Identity: service{}, Rights: "groups", Escapes: func() *bool { return nil },
		Certificate: certificate(t, now.AddDate(0, 0, -10), now.AddDate(0, 0, 80)),
		Names:       []string{"lilas.example", "panel.lilas.example"},
		Resolve:     func(context.Context, string) ([]string, error) { return []string{"192.0.2.7"}, nil },
		Now:         func() time.Time { return now }, Synchronised: func() bool { return true },
		Audit:   func() audit.State { return audit.State{At: now} },
		Jobs:    jobs(schedule.Outcome{Job: "reconcile", Every: time.Minute, Started: now.Add(-time.Minute)}),
		Records: func() error { return nil }, Advice: func(error) string { return "settle it" },
	}
}

func jobs(outcomes ...schedule.Outcome) func() []schedule.Outcome {
	return func() []schedule.Outcome { return outcomes }
}

// examine makes every check and returns them by name.
func examine(t *testing.T, d doctor.Doctor) map[string]api.Check {
	t.Helper()
	found, err := d.Examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checks := map[string]api.Check{}
	for _, c := range found.Checks {
		if _, twice := checks[c.Name]; twice {
			t.Errorf("%s is told twice", c.Name)
		}
		checks[c.Name] = c
	}
	return checks
}
