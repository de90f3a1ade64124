package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatiere/tenants"
)

// cron runs the scheduled tasks for d of the bubble's time.
func cron(t *testing.T, d time.Duration, f *fakes, run func(context.Context)) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	run(ctx)
	return f.crons
}

func times(crons []string, id string) (n int) {
	for _, c := range crons {
		if c == id+" cron" {
			n++
		}
	}
	return n
}

func TestEachSitesTasksRunInTheirOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sites []tenants.Site
		for i := range 50 {
			sites = append(sites, tenants.Site{ID: fmt.Sprint("s", i), State: tenants.StateReady})
		}
		f, u := setUp(time.Now(), append(sites, tenants.Site{ID: "off", State: tenants.StateSuspended})...)
		u.Now = time.Now
		crons := cron(t, time.Minute, f, u.RunCron)
		if n := len(crons); n == 0 || n > 25 {
			t.Errorf("in the first of five minutes the tasks of %d of 50 sites ran; want a share", n)
		}
		f.crons = nil
		crons = cron(t, 10*time.Minute+time.Second, f, u.RunCron)
		for _, s := range sites {
			if n := times(crons, s.ID); n != 2 {
				t.Errorf("%s: %d times in ten minutes, want 2", s.ID, n)
			}
		}
		if n := times(crons, "off"); n > 0 {
			t.Error("a suspended site's tasks ran")
		}
	})
}

func TestTasksThatHangHoldUpTheirOwnSiteOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, u := setUp(time.Now(), tenants.Site{ID: "s1", State: tenants.StateReady}, tenants.Site{ID: "s2", State: tenants.StateReady})
		u.Now = time.Now
		f.hangs = map[string]bool{"s1": true}
		crons := cron(t, 20*time.Minute+time.Second, f, u.RunCron)
		if times(crons, "s1") != 1 || times(crons, "s2") != 4 {
			t.Errorf("in twenty minutes %v ran; want the hanging one once, the other four times", crons)
		}
		if err := u.CronFaults(t.Context()); err != nil {
			t.Errorf("our own end counts as the site's fault: %v", err)
		}
	})
}

func TestTasksThatKeepFailingAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, u := setUp(time.Now(), tenants.Site{ID: "s1", State: tenants.StateReady}, tenants.Site{ID: "s2", State: tenants.StateReady})
		u.Now = time.Now
		f.down["s1"] = errors.New("no such table")
		var told []bool
		for range 4 {
			cron(t, 5*time.Minute, f, u.RunCron)
			err := u.CronFaults(t.Context())
			told = append(told, err != nil && strings.Contains(err.Error(), "s1: no such table") && !strings.Contains(err.Error(), "s2"))
		}
		if want := []bool{false, false, true, true}; !slices.Equal(told, want) {
			t.Errorf("told after each failure: %v, want %v", told, want)
		}
		delete(f.down, "s1")
		cron(t, 5*time.Minute, f, u.RunCron)
		if err := u.CronFaults(t.Context()); err != nil {
			t.Errorf("told after it went well: %v", err)
		}
	})
}

func TestATaskThatKeepsFailingIsNamedOnItsSite(t *testing.T) {
	for name, c := range map[string]struct{ printed, want string }{
		"all well":      {`{"ran":3,"failing":[],"deaths":0,"out_of_memory":0}`, "[]"},
		"no report":     {"done\n", "[]"},
		"nothing":       {"", "[]"},
		"a broken task": {`{"failing":[{"hook":"agenda_purge","times":3,"why":"fatal","said":"Uncaught Error"}]}`, "[s1 task-fails attention map[said:Uncaught Error tasks:agenda_purge]]"},
		"one that takes too long, and one that exits": {
			`{"failing":[{"hook":"a","times":9,"why":"time"},{"hook":"b","times":3,"why":"exit"}]}`,
			"[s1 task-fails attention map[said:10 min tasks:a] s1 task-exits note map[tasks:b]]",
		},
		"killed":                  {`{"failing":[{"hook":"a","times":3,"why":"killed"}]}`, "[s1 task-fails attention map[said:SIGKILL tasks:a]]"},
		"words before the report": {"Notice: x\n" + `{"deaths":2}` + "\n", "[s1 site-deaths attention map[count:2]]"},
		"out of memory":           {`{"deaths":2,"out_of_memory":1}`, "[s1 site-memory attention map[count:1]]"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, u := setUp(time.Now(), tenants.Site{ID: "s1", State: tenants.StateReady})
				u.Now, f.printed = time.Now, map[string]string{"s1": c.printed}
				cron(t, 6*time.Minute, f, u.RunCron)
				if err := u.CronFaults(t.Context()); err != nil {
					t.Error(err)
				}
				got := []string{}
				for _, found := range f.found {
					got = append(got, fmt.Sprint(found.Subject, " ", found.Code, " ", found.Level, " ", found.Args))
				}
				if fmt.Sprint(got) != c.want {
					t.Errorf("found %v, want %s", got, c.want)
				}
			})
		})
	}
}

func TestAReportOfTasksIsShortWhateverASitePrints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, u := setUp(time.Now(), tenants.Site{ID: "s1", State: tenants.StateReady})
		one := `{"hook":"` + strings.Repeat("é", 4000) + `","why":"fatal","said":"` + strings.Repeat("x", 9000) + `\nline"}`
		u.Now, f.printed = time.Now, map[string]string{"s1": `{"failing":[` + strings.Repeat(one+",", 99) + one + "]}"}
		cron(t, 6*time.Minute, f, u.RunCron)
		_ = u.CronFaults(t.Context()) // it is about what was found
		if len(f.found) != 1 || len(f.found[0].Args["tasks"]) > 1100 || len(f.found[0].Args["said"]) > 310 {
			t.Errorf("found %.300v", f.found)
		}
	})
}

func TestFindingsOfSitesThatWeHaveNotHeardFromStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, u := setUp(time.Now(), tenants.Site{ID: "s1", State: tenants.StateReady}, tenants.Site{ID: "s2", State: tenants.StateReady})
		u.Now = time.Now
		replaced := func() string {
			_ = u.CronFaults(t.Context()) // it is about the scope
			if f.scope.Subjects == nil {
				return "all"
			}
			return fmt.Sprint(f.scope.Subjects)
		}
		if got := replaced(); got != "[]" {
			t.Errorf("before the first turn findings of %s are replaced", got)
		}
		f.hangs = map[string]bool{"s2": true}
		cron(t, 6*time.Minute, f, u.RunCron)
		if got := replaced(); got != "[s1]" {
			t.Errorf("after the first site's turn findings of %s are replaced", got)
		}
		f.hangs = nil
		cron(t, 6*time.Minute, f, u.RunCron)
		if got := replaced(); got != "all" {
			t.Errorf("after everybody's turn findings of %s are replaced", got)
		}
	})
}
