//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chatiere/cmd/internal/config"
	"chatiere/panel/api"
	"chatiere/tenants"
	"chatiere/tenants/database"
	"chatiere/tenants/mysql"
)

const (
	// back is what a removed part gets to come back, backSlow what Keycloak does.
	back     = 60 * time.Second
	backSlow = 180 * time.Second
	// noticed is what the worker gets to notice.
	noticed = 30 * time.Second
)

// crowd asks the demo's site for a static file and for a PHP page, over and over, and notes what failed and when.
type crowd struct {
	mu     sync.Mutex
	asked  int
	failed map[string][]failure // by what was asked for
	stop   context.CancelFunc
	over   sync.WaitGroup
}

type failure struct {
	at   time.Time // of the asking
	what string
}

func (i *instance) crowd(t *testing.T) *crowd {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	v := &crowd{failed: map[string][]failure{}, stop: stop}
	url := at(i.summary.Sites[0].URL)
	for what, kind := range map[string]struct {
		path  string
		every time.Duration
	}{"static": {"/wp-includes/images/w-logo-blue.png?visit=", 55 * time.Millisecond}, "page": {"/?visit=", 180 * time.Millisecond}} {
		v.over.Go(func() {
			tick := time.NewTicker(kind.every)
			defer tick.Stop()
			var each sync.WaitGroup
			defer each.Wait()
			for n := 0; ; n++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				each.Go(func() { v.ask(ctx, i, what, fmt.Sprint(url, kind.path, n)) })
			}
		})
	}
	t.Cleanup(v.end)
	return v
}

func (v *crowd) end() {
	v.stop()
	v.over.Wait()
}

func (v *crowd) ask(ctx context.Context, i *instance, what, url string) {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	status, _, err := i.try(ctx, url)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked++
	if err != nil || status != 200 {
		v.failed[what] = append(v.failed[what], failure{begun, fmt.Sprintf("%d %v", status, err)})
	}
}

// between returns the failures of requests that began in a time.
func (v *crowd) between(what string, from, to time.Time) []failure {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(v.failed[what]), func(f failure) bool { return f.at.Before(from) || f.at.After(to) })
}

// partOf describes a container as far as its maker decides, for comparing before and after.
func (i *instance) partOf(t *testing.T, role string) string {
	t.Helper()
	return run(t, "docker", "inspect", "-f",
		`{{.Image}} {{.Config.User}} {{json .Config.Labels}} {{json .Config.Env}} {{json .Config.Healthcheck}} {{json .Config.StopTimeout}} `+
			`{{json .HostConfig.Tmpfs}} {{json .HostConfig.CapDrop}} {{len .HostConfig.CapAdd}} {{json .HostConfig.Sysctls}} `+
			`{{json .HostConfig.ExtraHosts}} {{json .HostConfig.GroupAdd}} {{json .HostConfig.RestartPolicy}} {{json .HostConfig.LogConfig}} `+
			`{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.NetworkMode}} {{json .HostConfig.SecurityOpt}} `+
			`{{range $n, $e := .NetworkSettings.Networks}}{{$n}} {{end}}`, i.container(role))
}

func (i *instance) well(role string) (bool, string) {
	said, err := tryRun("docker", "inspect", "-f", "{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}}", i.container(role))
	return err == nil && (said == "running healthy" || said == "running"), said
}

func TestEveryPartThatIsRemovedComesBackByItselfAndSitesDoNotNotice(t *testing.T) {
	i := open(t)
	roles := []string{"gateway", "panel", "mariadb", "keycloak", "mariadb-sites", "proxy"}
	for _, role := range append(roles, "worker") {
		eventually(t, backSlow, role+" to be well before anything is removed", func() (bool, string) { return i.well(role) })
	}
	v := i.crowd(t)
	began := time.Now()
	var keycloak time.Time
	for _, role := range roles {
		before := i.partOf(t, role)
		from := time.Now()
		run(t, "docker", "rm", "-f", i.container(role))
		if role == "keycloak" {
			keycloak = from // it starts while the next ones are removed
			eventually(t, noticed, "keycloak to be made again", func() (bool, string) {
				said, err := tryRun("docker", "inspect", "-f", "{{.State.Status}}", i.container(role))
				return err == nil && said == "running", said
			})
		} else {
			eventually(t, back, role+" to be back", func() (bool, string) { return i.well(role) })
		}
		to := time.Now()
		if after := i.partOf(t, role); after != before {
			t.Errorf("%s came back otherwise:\n%s\nwas\n%s", role, after, before)
		}
		t.Logf("%s was back after %s", role, to.Sub(from).Round(100*time.Millisecond))
		pages, static := v.between("page", from, to), v.between("static", from, to)
		if role == "proxy" {
			continue // its own outage
		}
		if len(static) > 0 {
			t.Errorf("without %s, %d requests for a static file failed, the first: %+v", role, len(static), static[0])
		}
		if role != "mariadb-sites" && len(pages) > 0 {
			t.Errorf("without %s, %d requests for a page failed, the first: %+v", role, len(pages), pages[0])
		}
	}
	settled := time.Now()
	eventually(t, backSlow-time.Since(keycloak), "keycloak to be back", func() (bool, string) { return i.well("keycloak") })
	t.Logf("keycloak was back after %s", time.Since(keycloak).Round(time.Second))
	time.Sleep(time.Until(settled.Add(time.Second))) // so that requests after the last outage are among those counted
	v.end()
	if late := append(v.between("page", settled, time.Now()), v.between("static", settled, time.Now())...); len(late) > 0 {
		t.Errorf("after everything was back %d requests failed, the first: %+v", len(late), late[0])
	}
	rate := float64(v.asked) / time.Since(began).Seconds()
	t.Logf("%d requests, %.0f per second", v.asked, rate)
	if rate < 20 {
		t.Errorf("only %.0f requests per second: too few to have noticed", rate)
	}
	if told := i.found(t, "?ended=1&area=platform"); !slices.Contains(told, "mariadb part-gone") || !slices.Contains(told, "proxy part-gone") {
		t.Errorf("told is %v", told)
	}
}

// found returns what was found, as "subject code".
func (i *instance) found(t *testing.T, query string) []string {
	t.Helper()
	var l api.List[api.Finding]
	if err := i.panel.Get(context.WithoutCancel(t.Context()), api.Prefix+api.PathFindings+query, &l); err != nil {
		t.Fatal(explain(err))
	}
	out := []string{}
	for _, f := range l.Items {
		out = append(out, f.Subject+" "+f.Code)
	}
	return out
}

func TestASiteChangedByHandIsPutBackAndABrokenImageReplacesNothing(t *testing.T) {
	i := open(t)
	s := i.newSite(t)
	t.Cleanup(func() { i.gone(t, s.ID) })
	name := i.container(s.ID)
	inspect := func(format string) string {
		said, err := tryRun("docker", "inspect", "-f", format, name)
		if err != nil {
			return err.Error()
		}
		return said
	}
	answers := func(t *testing.T) {
		t.Helper()
		eventually(t, back, "the site to answer", func() (bool, string) {
			status, _, err := i.try(t.Context(), s.URL)
			return err == nil && status == 200, fmt.Sprint(status, err)
		})
		eventually(t, noticed, "its repair to end", func() (bool, string) {
			op, busy := i.busy(t, s.ID)
			return !busy, op.ID
		})
	}
	is := func(t *testing.T, what, format, want string) {
		t.Helper()
		eventually(t, back, what, func() (bool, string) { said := inspect(format); return said == want, said })
	}
	limit, image := inspect("{{.HostConfig.Memory}}"), inspect("{{.Image}}")
	t.Run("limits", func(t *testing.T) {
		run(t, "docker", "update", "--memory", "200m", "--memory-swap", "200m", name)
		is(t, "its limit to be as before", "{{.HostConfig.Memory}}", limit)
		answers(t)
	})
	t.Run("hanging", func(t *testing.T) {
		signal := func(name string) string {
			return `for p in /proc/[0-9]*; do read -r comm <"$p/comm" && [ "$comm" = nginx ] && kill -` + name + ` "${p#/proc/}"; done; true`
		}
		health := func(within time.Duration, want string) {
			eventually(t, within, "the page to say "+want, func() (bool, string) {
				var now api.Site
				err := i.panel.Get(t.Context(), api.Item(api.PathSites, s.ID), &now)
				return err == nil && now.Health == want, fmt.Sprint(now.Health, err)
			})
		}
		run(t, "docker", "exec", name, "sh", "-c", signal("STOP"))
		health(noticed, "down")
		run(t, "docker", "exec", name, "sh", "-c", signal("CONT"))
		health(back, "up")
	})
	t.Run("stopped", func(t *testing.T) {
		run(t, "docker", "stop", "-t", "1", name)
		is(t, "it to run", "{{.State.Status}}", "running")
		answers(t)
	})
	t.Run("something else under its name", func(t *testing.T) {
		id := inspect("{{.Id}}")
		run(t, "docker", "pause", i.container("worker")) // or it would be quicker than we are
		run(t, "docker", "rm", "-f", id)
		run(t, "docker", "run", "-d", "--network", "none", "--name", name, "--entrypoint", "sleep", image, "600")
		run(t, "docker", "unpause", i.container("worker"))
		eventually(t, noticed, "the stranger to be told", func() (bool, string) {
			told := i.found(t, "?site="+s.ID)
			return slices.Contains(told, s.ID+" site-name-taken"), fmt.Sprint(told)
		})
		run(t, "docker", "rm", "-f", name)
		answers(t)
	})
	t.Run("a broken image", func(t *testing.T) {
		before := inspect("{{.Id}}")
		defer i.pinImage(t, s.ID, run(t, "docker", "image", "inspect", "-f", "{{.Id}}", needed(t, "CHATIERE_BASE_IMAGE")))()
		run(t, "docker", "update", "--restart", "unless-stopped", name) // changes nothing, and draws the worker's look
		eventually(t, 90*time.Second, "the failed replacement to be told", func() (bool, string) {
			told := i.found(t, "?site="+s.ID)
			return slices.Contains(told, s.ID+" site-not-replaced"), fmt.Sprint(told)
		})
		if after := inspect("{{.Id}} {{.State.Status}}"); after != before+" running" {
			t.Errorf("the container is %s, was %s", after, before)
		}
		answers(t)
	})
}

// pinImage gives a site's record a release like the one it has, but of another image, as a wrong update would. It returns how
// to take that back.
func (i *instance) pinImage(t *testing.T, site, image string) (undo func()) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	store := i.records(t)
	s, err := store.Site(ctx, site)
	if err != nil {
		t.Fatal(err)
	}
	d, err := store.Definition(ctx, s.Release.ID)
	if err != nil {
		t.Fatal(err)
	}
	wrong := s.Release
	wrong.ID, wrong.Number, wrong.OperationID = tenants.NewReleaseID(), 1000, ""
	wrong.Containers = slices.Clone(wrong.Containers)
	wrong.Containers[0].ImageID, d.Containers[0].Image = image, image
	if err := errors.Join(store.CreateRelease(ctx, &wrong, d), store.SetRelease(ctx, wrong)); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := store.SetRelease(ctx, s.Release); err != nil {
			t.Error(err)
		}
	}
}

// records opens the panel's database as the worker does.
func (i *instance) records(t *testing.T) *mysql.Store {
	t.Helper()
	password, err := i.config.Secret(config.SecretDBWorker).Reveal()
	if err != nil {
		t.Fatal(err)
	}
	store, err := mysql.Open(mysql.Config{Config: database.Config{
		Socket: i.config.Database.Socket, Database: i.config.Database.Name, User: i.config.Database.WorkerUser, Password: password,
		Log: slog.New(slog.DiscardHandler),
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func TestWithoutTheWorkerSitesGoOnAndDoctorSaysWhatToType(t *testing.T) {
	i := open(t)
	eventually(t, back, "the worker to be well", func() (bool, string) { return i.well("worker") })
	v := i.crowd(t)
	run(t, "docker", "rm", "-f", i.container("worker"))
	var command string
	eventually(t, noticed, "doctor to say what to type", func() (bool, string) {
		var d api.Diagnosis
		if err := i.panel.Get(t.Context(), api.Prefix+api.PathDoctor, &d); err != nil {
			return false, err.Error()
		}
		k := slices.IndexFunc(d.Checks, func(c api.Check) bool { return c.Name == "worker" && c.State == api.CheckRed })
		if k < 0 {
			return false, fmt.Sprint(d.Checks)
		}
		_, command, _ = strings.Cut(d.Checks[k].Advice, "Type on the server: ")
		return command != "", d.Checks[k].Advice
	})
	t.Logf("doctor says: %s", command)
	run(t, "sh", "-c", command)
	eventually(t, back, "the worker to be back", func() (bool, string) { return i.well("worker") })
	v.end()
	if n := len(v.failed["page"]) + len(v.failed["static"]); n > 0 {
		t.Errorf("without the worker %d of %d requests failed: %v", n, v.asked, v.failed)
	}
}
