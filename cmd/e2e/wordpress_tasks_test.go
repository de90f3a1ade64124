//go:build e2e

package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"chatiere/panel/api"
)

// badTasks plans events that end in every way an event can, and one that only leaves a mark. All are due at once, the bad
// ones first.
const badTasks = `<?php
/** Plugin Name: Tâches */
foreach (['erreur' => static fn () => nulle_part(), 'sortie' => static fn () => exit(), 'arret' => static fn () => wp_die('fini'),
    'memoire' => static fn () => str_repeat('x', 1 << 30), 'marque' => static fn () => update_option('marque', (int) get_option('marque') + 1)] as $name => $does) {
    add_action("taches_$name", $does);
}
`

// printedTasks is what the hook "cron" says.
type printedTasks struct {
	Ran     int
	Failing []struct {
		Hook, Why, Said string
		Times           int
	}
	Deaths      int
	OutOfMemory int `json:"out_of_memory"`
}

// tasks runs what is due in a site, as the worker does.
func (i *instance) tasks(t *testing.T, site string) (said printedTasks) {
	t.Helper()
	eventually(t, time.Minute, "a turn of tasks", func() (bool, string) {
		out, err := tryRun("docker", "exec", i.container(site), "php", "/opt/chatiere/hooks/cron.php")
		if err != nil {
			t.Fatalf("tasks of %s: %v\n%s", site, err, out)
		}
		said = printedTasks{}
		return json.Unmarshal([]byte(out), &said) == nil && !strings.Contains(out, `"busy"`), out // the worker's own turn
	})
	return said
}

func TestATaskThatDiesDelaysNoOtherAndIsNamedAfterThreeTimes(t *testing.T) {
	i := open(t)
	s := i.newSite(t)
	t.Cleanup(func() { i.gone(t, s.ID) })
	i.plugin(t, s, "taches", badTasks, nil)
	var last printedTasks
	for turn := range 3 {
		i.wp(t, s.ID, `foreach (["erreur", "sortie", "arret", "memoire", "marque"] as $n => $name) { wp_schedule_single_event(time() - 60 + $n, "taches_$name"); }`)
		last = i.tasks(t, s.ID)
		if got := i.wp(t, s.ID, `echo get_option("marque");`); got != fmt.Sprint(turn+1) {
			t.Fatalf("after turn %d the task behind those that die ran %q times", turn+1, got)
		}
		if turn == 1 && len(last.Failing) > 0 {
			t.Errorf("named after two times: %v", last.Failing)
		}
	}
	got := map[string]string{}
	for _, f := range last.Failing {
		got[f.Hook] = fmt.Sprint(f.Why, " ", f.Times)
	}
	for hook, want := range map[string]string{"taches_erreur": "fatal 3", "taches_sortie": "exit 3", "taches_arret": "exit 3", "taches_memoire": "fatal 3"} {
		if got[hook] != want {
			t.Errorf("%s: %q, want %q", hook, got[hook], want)
		}
	}
	if len(got) != 4 {
		t.Errorf("named: %v", got)
	}
	if said := i.wp(t, s.ID, `echo wp_remote_retrieve_response_code(wp_remote_post(site_url("wp-cron.php?doing_wp_cron=1.0")));`); said != "200" {
		t.Errorf("a plugin that asks whether tasks run hears %s", said)
	}
	if status, _ := i.page(t, at(s.URL)+"/wp-cron.php"); status != http.StatusNotFound {
		t.Errorf("wp-cron.php answers the world with %d", status)
	}
}

// ownCaller asks the site itself before it answers, as builders of pages do.
const ownCaller = `<?php
/** Plugin Name: Soi */
add_action('init', static function (): void {
    if (isset($_GET['soi'])) {
        $answer = wp_remote_get(home_url('/?rest_route=/'), ['timeout' => 10, 'sslverify' => false]);
        wp_send_json(is_wp_error($answer) ? $answer->get_error_message() : wp_remote_retrieve_response_code($answer));
    }
});
`

func TestPagesThatAskTheirOwnSiteLockNobodyOut(t *testing.T) {
	i := open(t)
	s := i.newSite(t)
	t.Cleanup(func() { i.gone(t, s.ID) })
	i.plugin(t, s, "soi", ownCaller, nil)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 3 {
				if status, body, err := i.try(t.Context(), at(s.URL)+"/?soi"); err != nil || status != http.StatusOK || body != "200" {
					t.Errorf("a page that asks the site itself: %d %.200q %v", status, body, err)
				}
			}
		})
	}
	slowest := i.slowest(t, s, &all)
	if slowest > 5*time.Second {
		t.Errorf("meanwhile a visitor waited %s", slowest)
	}
}

// slowest asks for the front page until others have ended, and returns the longest a visitor waited.
func (i *instance) slowest(t *testing.T, s api.Site, others *sync.WaitGroup) (slowest time.Duration) {
	t.Helper()
	ended := make(chan struct{})
	go func() { others.Wait(); close(ended) }()
	for {
		began := time.Now()
		if status, _, err := i.try(t.Context(), at(s.URL)+"/"); err != nil || status != http.StatusOK {
			t.Errorf("a visitor got %d, %v", status, err)
		}
		slowest = max(slowest, time.Since(began))
		select {
		case <-ended:
			return slowest
		default:
		}
	}
}
