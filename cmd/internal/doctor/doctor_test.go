package doctor_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moby/sys/mountinfo"

	"chatiere/cmd/internal/doctor"
	"chatiere/panel/api"
	"chatiere/tenants"
	"chatiere/tenants/schedule"
)

func TestAPlatformThatIsWellIsGreenInThisOrder(t *testing.T) {
	found, err := well(t).Examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range found.Checks {
		names = append(names, c.Name)
		if c.State != api.CheckGreen || c.Found == "" || c.Advice != "" {
			t.Errorf("got %+v", c)
		}
	}
	want := []string{
		"docker", "live-restore", "records", "database", "sites-database", "keycloak", "rights", "disk", "inodes", "quota", "clock", "certificate", "audit",
		"name lilas.example", "name panel.lilas.example", "sites apart", "egress.permit", "mail.senders", "jobs",
	}
	if !slices.Equal(names, want) {
		t.Errorf("got   %q\nwanted %q", names, want)
	}
}

var errDown = errors.New("connection refused")

func TestEachCheckTurnsWithWhatItLooksAt(t *testing.T) {
	for _, c := range []struct {
		name, check string
		state       api.CheckState
		found       string
		spoil       func(t *testing.T, d *doctor.Doctor)
	}{
		{"no engine", "docker", api.CheckRed, "connection refused", func(_ *testing.T, d *doctor.Doctor) { d.Engine = engine{err: errDown} }},
		{"an engine that stops sites", "live-restore", api.CheckRed, "off", func(_ *testing.T, d *doctor.Doctor) { d.Engine = engine{info: tenants.EngineInfo{}} }},
		{"records of another age", "records", api.CheckRed, "older", func(_ *testing.T, d *doctor.Doctor) {
			d.Records = func() error { return errors.New("the records are older than this machine") }
		}},
		{"no database", "database", api.CheckRed, "connection refused", func(_ *testing.T, d *doctor.Doctor) { d.Database = database{err: errDown} }},
		{"no database to compare with", "clock", api.CheckGreen, "kept", func(_ *testing.T, d *doctor.Doctor) { d.Database = database{err: errDown} }},
		{"a clock nobody keeps", "clock", api.CheckAmber, "drift", func(_ *testing.T, d *doctor.Doctor) { d.Synchronised = func() bool { return false } }},
		{"no sites' database", "sites-database", api.CheckRed, "connection refused", func(_ *testing.T, d *doctor.Doctor) { d.SitesDatabase = service{err: errDown} }},
		{"no Keycloak", "keycloak", api.CheckRed, "connection refused", func(_ *testing.T, d *doctor.Doctor) { d.Identity = service{err: errDown} }},
		{"no data root", "disk", api.CheckRed, "no such file", func(_ *testing.T, d *doctor.Doctor) { d.Root = "/proc/nowhere" }},
		{"project quotas", "quota", api.CheckGreen, "xfs has project quotas, which", func(_ *testing.T, d *doctor.Doctor) {
			d.Mounts = mounts("/", "ext4", "rw", "/srv", "xfs", "rw,prjquota", "/srv/chatiere2", "ext4", "rw")
			d.Root = "/srv/chatiere"
		}},
		{"a mount above another", "quota", api.CheckGreen, "btrfs has no project quotas", func(_ *testing.T, d *doctor.Doctor) {
			d.Mounts = mounts("/", "xfs", "rw,prjquota", "/srv", "xfs", "rw,prjquota", "/srv", "btrfs", "rw,noprjquota")
			d.Root = "/srv/chatiere"
		}},
		{"no list of mounts", "quota", api.CheckAmber, "connection refused", func(_ *testing.T, d *doctor.Doctor) {
			d.Mounts = func() ([]*mountinfo.Info, error) { return nil, errDown }
		}},
		{"a clock five seconds ahead", "clock", api.CheckGreen, "kept", func(_ *testing.T, d *doctor.Doctor) { d.Database = database{clock: now.Add(-5 * time.Second)} }},
		{"a clock ahead", "clock", api.CheckRed, "6s apart", func(_ *testing.T, d *doctor.Doctor) { d.Database = database{clock: now.Add(-6 * time.Second)} }},
		{"a clock behind", "clock", api.CheckRed, "6s apart", func(_ *testing.T, d *doctor.Doctor) { d.Database = database{clock: now.Add(6 * time.Second)} }},
		{"a name nobody knows", "name panel.lilas.example", api.CheckRed, "no such host", func(_ *testing.T, d *doctor.Doctor) { d.Resolve = without("panel.lilas.example") }},
		{"another name", "name lilas.example", api.CheckGreen, "192.0.2.7", func(_ *testing.T, d *doctor.Doctor) { d.Resolve = without("panel.lilas.example") }},
		{"a name without address", "name lilas.example", api.CheckRed, "no address", func(_ *testing.T, d *doctor.Doctor) {
			d.Resolve = func(context.Context, string) ([]string, error) { return nil, nil }
		}},
		{"local names", "names", api.CheckGreen, ".localhost", func(_ *testing.T, d *doctor.Doctor) { d.Local, d.Resolve = true, without("panel.lilas.example") }},
		{"a job that failed twice", "jobs", api.CheckGreen, "1 recurring", func(_ *testing.T, d *doctor.Doctor) {
			d.Jobs = jobs(schedule.Outcome{Job: "bin", Every: time.Hour, Started: now, Error: "no room", Failures: 2})
		}},
		{"a job that keeps failing", "jobs", api.CheckRed, "bin failed 3 times in a row: no room", func(_ *testing.T, d *doctor.Doctor) {
			d.Jobs = jobs(schedule.Outcome{Job: "bin", Every: time.Hour, Started: now, Error: "no room", Failures: 3})
		}},
		{"a job that nobody runs any more", "jobs", api.CheckRed, "probe last ran", func(_ *testing.T, d *doctor.Doctor) {
			d.Jobs = jobs(schedule.Outcome{Job: "probe", Every: time.Minute, Started: now.Add(-5 * time.Minute)})
		}},
		{"a job that has not ended once", "jobs", api.CheckGreen, "1 recurring", func(_ *testing.T, d *doctor.Doctor) {
			d.Jobs = jobs(schedule.Outcome{Job: "realm", Every: time.Hour})
		}},
		{"sites beside the panel", "sites apart", api.CheckAmber, "lilas.example", func(_ *testing.T, d *doctor.Doctor) { d.Shared = "lilas.example" }},
		{"a way inside", "egress.permit", api.CheckAmber, "10.1.0.0/16", func(_ *testing.T, d *doctor.Doctor) { d.Permit = []string{"10.1.0.0/16"} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := well(t)
			c.spoil(t, &d)
			got, told := examine(t, d)[c.check]
			if !told || got.State != c.state || !strings.Contains(got.Found, c.found) {
				t.Errorf("got %+v, want %s with %q", got, c.state, c.found)
			}
			if (got.State == api.CheckGreen) != (got.Advice == "") {
				t.Errorf("a %s line advises %q", got.State, got.Advice)
			}
		})
	}
}

func without(missing string) func(context.Context, string) ([]string, error) {
	return func(_ context.Context, name string) ([]string, error) {
		if name == missing {
			return nil, errors.New("no such host")
		}
		return []string{"192.0.2.7"}, nil
	}
}

func TestACertificateTurnsBeforeItsEnd(t *testing.T) {
	day := 24 * time.Hour
	for _, c := range []struct {
		name  string
		left  time.Duration // of a life of 80 days
		state api.CheckState
	}{
		{"fresh", 80 * day, api.CheckGreen},
		{"due for renewal", 26 * day, api.CheckGreen},
		{"a quarter left", 20 * day, api.CheckGreen},
		{"not renewed in time", 19 * day, api.CheckAmber},
		{"its last hour", time.Hour, api.CheckAmber},
		{"its last instant", 0, api.CheckRed},
		{"over", -time.Hour, api.CheckRed},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := well(t)
			end := now.Add(c.left)
			d.Certificate = certificate(t, end.Add(-80*day), end)
			got := examine(t, d)["certificate"]
			if got.State != c.state || !strings.Contains(got.Found, end.Format("2006-01-02")) {
				t.Errorf("got %+v, want %s", got, c.state)
			}
		})
	}
}

func TestACertificateThatCannotBeReadIsRed(t *testing.T) {
	d := well(t)
	for name, path := range map[string]string{
		"absent": "/proc/nowhere.pem", "not PEM": file(t, []byte("hello")),
		"not a certificate": file(t, []byte("-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n")),
	} {
		d.Certificate = path
		if got := examine(t, d)["certificate"]; got.State != api.CheckRed || got.Advice == "" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestRoomIsToldByItsShare(t *testing.T) {
	for _, c := range []struct {
		free, total uint64
		state       api.CheckState
		found       string
	}{
		{0, 0, api.CheckGreen, "not counted by this file system"},
		{1000, 1000, api.CheckGreen, "1000 MiB free of 1000 (100 %)"},
		{100, 1000, api.CheckGreen, "100 MiB free of 1000 (10 %)"},
		{99, 1000, api.CheckAmber, "99 MiB free of 1000 (10 %)"},
		{30, 1000, api.CheckAmber, "30 MiB free of 1000 (3 %)"},
		{29, 1000, api.CheckRed, "29 MiB free of 1000 (3 %)"},
		{0, 1000, api.CheckRed, "0 MiB free of 1000 (0 %)"},
	} {
		got := doctor.Share("disk", "MiB free", c.free, c.total)
		if got.Name != "disk" || got.State != c.state || got.Found != c.found || (got.State == api.CheckGreen) != (got.Advice == "") {
			t.Errorf("%d of %d: got %+v, want %s %q", c.free, c.total, got, c.state, c.found)
		}
	}
}

func TestAServiceThatSaysNothingKeepsNoOtherFromBeingTold(t *testing.T) {
	for _, c := range []struct {
		name string
		red  []string
		hush func(d *doctor.Doctor)
	}{
		{"engine", []string{"docker"}, func(d *doctor.Doctor) { d.Engine = silentEngine{} }},
		{"database", []string{"database"}, func(d *doctor.Doctor) { d.Database = silentDatabase{} }},
		{"sites' database", []string{"sites-database"}, func(d *doctor.Doctor) { d.SitesDatabase = service{silent: true} }},
		{"Keycloak", []string{"keycloak"}, func(d *doctor.Doctor) { d.Identity = service{silent: true} }},
		{"name server of one name", []string{"name lilas.example"}, func(d *doctor.Doctor) { d.Resolve = silentFor("lilas.example") }},
		{"all of them", []string{"docker", "database", "sites-database", "keycloak", "name lilas.example"}, func(d *doctor.Doctor) {
			d.Engine, d.Database, d.SitesDatabase, d.Identity = silentEngine{}, silentDatabase{}, service{silent: true}, service{silent: true}
			d.Resolve = silentFor("lilas.example")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := well(t)
				c.hush(&d)
				began := time.Now()
				for name, got := range examine(t, d) {
					want := api.CheckGreen
					if slices.Contains(c.red, name) {
						want = api.CheckRed
					}
					if got.State != want {
						t.Errorf("got %+v, want %s", got, want)
					}
				}
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("it took %s, longer than people wait", took)
				}
			})
		})
	}
}

func silentFor(name string) func(context.Context, string) ([]string, error) {
	return func(ctx context.Context, asked string) ([]string, error) {
		if asked == name {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return []string{"192.0.2.7"}, nil
	}
}

func TestAnExaminationNobodyWaitsForIsAnError(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if _, err := well(t).Examine(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
