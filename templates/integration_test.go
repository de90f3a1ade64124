//go:build integration

package templates_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestASiteInstallsUnattendedAndOnlyOnce(t *testing.T) {
	title := "Les Lilas " + word(4)
	s := newSite(t, title)
	if _, err := s.hook("installed"); err == nil {
		t.Fatal("an empty database counts as installed")
	}
	begun := time.Now()
	first := s.mustHook(t, "install")
	t.Logf("installed in %s", time.Since(begun).Round(time.Millisecond))
	if !strings.Contains(first, `"changed":true`) {
		t.Errorf("first run: got %s", first)
	}
	if again := s.mustHook(t, "install"); !strings.Contains(again, `"changed":false`) {
		t.Errorf("second run: got %s", again)
	}
	s.mustHook(t, "installed")

	response, body := s.get(t, "/", nil)
	if response.StatusCode != http.StatusOK || !strings.Contains(body, `lang="fr-FR"`) || !strings.Contains(body, title) {
		t.Errorf("got %s, French: %v, titled: %v", response.Status, strings.Contains(body, `lang="fr-FR"`), strings.Contains(body, title))
	}
	for _, foreign := range regexp.MustCompile(`(?:src|href)=["']https?://([^/"':]+)`).FindAllStringSubmatch(body, -1) {
		if foreign[1] != s.values.Host && foreign[1] != "api.w.org" {
			t.Errorf("the home page sends visitors to %s", foreign[1])
		}
	}
	database := s.values.Database
	for option, want := range map[string]string{"permalink_structure": "/%postname%/", "timezone_string": "Europe/Paris", "blog_public": "1", "WPLANG": "fr_FR"} {
		got := s.platform.sql(t, fmt.Sprintf("SELECT option_value FROM %s.wp_options WHERE option_name = '%s'", database, option))
		if got != want {
			t.Errorf("%s is %q, want %q", option, got, want)
		}
	}
}

// TestAnInstallationKilledAnywhereIsCompleted lets the installation live a little longer each time. The
// moments are those of a killer, not of a clock that the test waits for: it passes at any of them.
func TestAnInstallationKilledAnywhereIsCompleted(t *testing.T) {
	s := newSite(t, "Tenace")
	interrupted := 0
	for life := 80 * time.Millisecond; ; life = life * 3 / 2 {
		command := exec.Command("docker", s.hookCommand("install")...)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(life)
		if _, err := run(nil, "docker", "kill", "--signal", "KILL", s.container); err != nil {
			t.Fatal(err)
		}
		_ = command.Wait()
		if _, err := run(nil, "docker", "start", s.container); err != nil {
			t.Fatal(err)
		}
		s.awaitServer(t)
		if _, err := s.hook("installed"); err == nil {
			break
		}
		interrupted++
		if response, body := s.get(t, "/", nil); response.StatusCode == http.StatusOK && strings.Contains(body, "install") {
			t.Fatal("an installer page was served")
		}
	}
	if interrupted < 3 {
		t.Errorf("only %d runs were interrupted", interrupted)
	}
	t.Logf("%d runs were interrupted", interrupted)
	s.mustHook(t, "install")
	database := s.values.Database
	got := s.platform.sql(t, fmt.Sprintf(
		"SELECT (SELECT COUNT(*) FROM %[1]s.wp_users), (SELECT COUNT(*) FROM %[1]s.wp_posts WHERE post_status = 'publish' AND post_type = 'post'), (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '%[1]s')", database))
	if got != "1\t1\t12" {
		t.Errorf("users, posts, tables: got %q, want 1, 1, 12", got)
	}
	if response, _ := s.get(t, "/", nil); response.StatusCode != http.StatusOK {
		t.Errorf("got %s", response.Status)
	}
}

func TestADatabaseOfSomebodyElseIsLeftAlone(t *testing.T) {
	s := newSite(t, "Intrus")
	table := s.values.Database + ".souvenirs"
	s.platform.sql(t, "CREATE TABLE "+table+" (id INT); INSERT INTO "+table+" VALUES (42)")
	if out, err := s.hook("install"); err == nil {
		t.Errorf("installed over it: %s", out)
	}
	if got := s.platform.sql(t, "SELECT id FROM "+table); got != "42" {
		t.Errorf("got %q, want 42", got)
	}
}

func TestEverythingOnTheRefuseListIsRefusedByTheImage(t *testing.T) {
	s := newSite(t, "Portier")
	s.mustHook(t, "install")
	const marker = "executed-" + "or-leaked"
	content := s.values.Paths.Data + "/wp-content"
	for _, refusal := range wordpress(t).Refuse {
		for _, example := range refusal.Refused {
			rest, ours := strings.CutPrefix(example, "/wp-content/")
			if ours && !strings.HasSuffix(example, "/") && !strings.Contains(example, ".php/") {
				drop(t, s, filepath.Join(content, rest), "<?php echo 'executed-'.'or-leaked'; // "+marker)
			}
			response, body := s.get(t, (&url.URL{Path: example}).EscapedPath(), nil)
			if response.StatusCode != http.StatusNotFound || strings.Contains(body, marker) {
				t.Errorf("%s: got %s", example, response.Status)
			}
		}
	}
}

func TestWhatIsUploadedIsNeverExecuted(t *testing.T) {
	s := newSite(t, "Dépôt")
	s.mustHook(t, "install")
	uploads := s.values.Paths.Data + "/wp-content/uploads/"
	source := "<?php echo 6*7, 'x', 11*11;"
	for _, name := range []string{"a.php", "b.PHP", "c.php.jpg", "d.phtml", "e.phar", "f.php5", "g.jpg", "h.php.", "i.pHp7", "j.txt", ".user.ini", "k.inc", "l.php%00.jpg"} {
		drop(t, s, uploads+name, source)
	}
	drop(t, s, uploads+".htaccess", "AddType application/x-httpd-php .jpg .txt\nAddHandler php-script .inc\n")
	for _, path := range []string{
		"a.php", "a.php/", "a.php/x.jpg", "a.php%20", "a.php%00", "a.php%00.jpg", "a.php%2f", "a.ph%70", "%61.php", "./a.php", "x/../a.php", "a.php;.jpg", "a.php::$DATA",
		"b.PHP", "c.php.jpg", "c.php.jpg/x.php", "d.phtml", "e.phar", "e.phar/a.php", "f.php5", "g.jpg/x.php", "g.jpg/.php", "g.jpg%00.php", "h.php.", "i.pHp7", "j.txt/a.php", ".user.ini", ".htaccess", "k.inc", "l.php%2500.jpg",
	} {
		response, body, err := s.request(http.MethodGet, "/wp-content/uploads/"+path, nil, nil)
		if err == nil && strings.Contains(body, "42x121") {
			t.Errorf("%s was executed (%s)", path, response.Status)
		}
		if err == nil && response.StatusCode == http.StatusOK && strings.Contains(strings.ToLower(path), ".ph") {
			t.Errorf("%s was served: %.40q", path, body)
		}
	}
	if response, body := s.get(t, "/wp-content/uploads/j.txt", nil); response.StatusCode != http.StatusOK || body != source {
		t.Errorf("a plain file: got %s %q", response.Status, body)
	}
}

func TestAPluginMayAnswerUnderAFileOfItsOwn(t *testing.T) {
	s := newSite(t, "Greffon")
	s.mustHook(t, "install")
	drop(t, s, s.values.Paths.Data+"/wp-content/plugins/agenda/export.php", "<?php echo 'agenda ', 6*7, ' ', $_SERVER['HTTPS'], ' ', $_SERVER['REMOTE_ADDR'];")
	if response, body := s.get(t, "/wp-content/plugins/agenda/export.php", nil); body != "agenda 42 on 203.0.113.7" {
		t.Errorf("got %s %q", response.Status, body)
	}
}

func TestTheHooksTellTheTruth(t *testing.T) {
	s := newSite(t, "Franc")
	if out, err := s.hook("health"); err == nil {
		t.Errorf("a site that isn't installed is healthy: %s", out)
	}
	s.mustHook(t, "install")
	var version struct {
		Version string `json:"version"`
		Schema  int    `json:"schema"`
		Current bool   `json:"current"`
	}
	if err := json.Unmarshal([]byte(s.mustHook(t, "version")), &version); err != nil || !version.Current || version.Schema == 0 {
		t.Errorf("got %+v, %v", version, err)
	}
	if health := s.mustHook(t, "health"); !strings.Contains(health, `"healthy":true`) {
		t.Errorf("got %s", health)
	}
	s.platform.sql(t, "UPDATE "+s.values.Database+".wp_options SET option_value = option_value - 1 WHERE option_name = 'db_version'")
	if out, err := s.hook("health"); err == nil {
		t.Errorf("an old schema is healthy: %s", out)
	}
	s.mustHook(t, "migrate")
	s.mustHook(t, "health")
	busy, err := run(nil, "docker", "exec", s.container, "flock", "/data/.cron.lock", "php", "/opt/chatiere/hooks/cron.php")
	if err != nil || !strings.Contains(busy, `"busy":true`) {
		t.Errorf("a second cron beside a running one: got %s, %v", busy, err)
	}
}

func TestScheduledTasksRunWhenTheyAreDueAndNotBefore(t *testing.T) {
	s := newSite(t, "Pendule")
	s.mustHook(t, "install")
	plan := func(at time.Time) {
		const event = `a:1:{s:4:"ring";a:1:{s:32:"40cd750bba9870f18aada2478b24840a";a:2:{s:8:"schedule";b:0;s:4:"args";a:0:{}}}}`
		s.platform.sql(t, fmt.Sprintf(`UPDATE %s.wp_options SET option_value = 'a:2:{i:%d;%ss:7:"version";i:2;}' WHERE option_name = 'cron'`,
			s.values.Database, at.Unix(), event))
	}
	ran := func() (n int) {
		out := s.mustHook(t, "cron")
		if _, err := fmt.Sscanf(out, `{"ran":%d,`, &n); err != nil {
			t.Fatalf("cron: got %s", out)
		}
		return n
	}
	plan(time.Now().Add(time.Hour))
	if n := ran(); n != 0 {
		t.Errorf("%d events ran an hour too early", n)
	}
	plan(time.Now().Add(-time.Second))
	if n := ran(); n == 0 {
		t.Error("what is due did not run")
	}
	s.platform.sql(t, "UPDATE "+s.values.Database+".wp_options SET option_value = 'a:1:{s:7:\"version\";i:2;}' WHERE option_name = 'cron'")
	ran()
	if plan := s.platform.sql(t, "SELECT option_value FROM "+s.values.Database+".wp_options WHERE option_name = 'cron'"); !strings.Contains(plan, "wp_update_plugins") {
		t.Errorf("a site that had lost its plan has none again: %s", plan)
	}
}

func TestADumpIsWholeAndTheSameTwice(t *testing.T) {
	s := newSite(t, "Archive")
	s.mustHook(t, "install")
	first, second := s.mustHook(t, "dump"), s.mustHook(t, "dump")
	if !strings.HasSuffix(first, "-- Dump completed") || !strings.Contains(first, "CREATE TABLE `wp_posts`") {
		t.Errorf("the dump ends with %q", first[max(0, len(first)-80):])
	}
	if first != second {
		t.Error("two dumps of the same content differ")
	}
}

func TestMaintenanceAnswers503InFrenchAndKeepsHealth(t *testing.T) {
	s := newSite(t, "Travaux")
	s.mustHook(t, "install")
	s.mustHook(t, "maintenance_on")
	response, body := s.get(t, "/", nil)
	if response.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, `lang="fr"`) || response.Header.Get("Retry-After") == "" {
		t.Errorf("got %s %.60q", response.Status, body)
	}
	response, body, err := s.request(http.MethodPost, "/wp-comments-post.php", strings.NewReader("comment=x"), nil)
	if err != nil || response.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, `lang="fr"`) {
		t.Errorf("a POST got %v %.60q, %v", response, body, err)
	}
	for path, want := range map[string]int{"/__health": http.StatusOK, "/__maintenance.html": http.StatusNotFound, "/__busy.html": http.StatusNotFound} {
		if response, _ := s.get(t, path, nil); response.StatusCode != want {
			t.Errorf("%s: got %s", path, response.Status)
		}
	}
	s.mustHook(t, "maintenance_off")
	if response, _ := s.get(t, "/", nil); response.StatusCode != http.StatusOK {
		t.Errorf("afterwards: got %s", response.Status)
	}
}

// Whoever asks for more pages than PHP can make gets a page that says so, at once, and files and health answer as ever:
// waiting requests must not take all connections of nginx.
func TestWithPHPOverrunFilesAreStillServed(t *testing.T) {
	const asked, waiting = 300, 160
	s := newSite(t, "Foule")
	s.mustHook(t, "install")
	drop(t, s, s.values.Paths.Data+"/wp-content/plugins/lent/lent.php",
		"<?php while (!file_exists('/data/tmp/go')) { usleep(20000); } echo 'done';")
	statuses := make(chan int, asked)
	turnedAway := make(chan struct{}, asked)
	for i := range asked {
		go func() {
			method := []string{http.MethodGet, http.MethodPost}[i%2]
			response, body, err := s.request(method, "/wp-content/plugins/lent/lent.php", nil, nil)
			if err != nil {
				t.Error(err)
				statuses <- 0
				return
			}
			if response.StatusCode == http.StatusServiceUnavailable {
				if !strings.Contains(body, "Beaucoup de visites") || response.Header.Get("Retry-After") == "" {
					t.Errorf("%s is turned away with %.80q", method, body)
				}
				turnedAway <- struct{}{}
			}
			statuses <- response.StatusCode
		}()
	}
	for range asked - waiting {
		select {
		case <-turnedAway:
		case <-time.After(time.Minute):
			t.Fatal("all of them wait for PHP")
		}
	}
	for _, path := range []string{"/__health", "/wp-includes/css/dist/block-library/style.min.css"} {
		if response, _ := s.get(t, path, nil); response.StatusCode != http.StatusOK {
			t.Errorf("%s while PHP is overrun: got %s", path, response.Status)
		}
	}
	drop(t, s, s.values.Paths.Data+"/tmp/go", "")
	count := map[int]int{}
	for range asked {
		count[<-statuses]++
	}
	if count[http.StatusOK] != waiting || count[http.StatusServiceUnavailable] != asked-waiting {
		t.Errorf("answers by status: %v", count)
	}
}

func TestAHookRunsAloneInAContainerOfTheImage(t *testing.T) {
	s := newSite(t, "Seul")
	if _, err := run(nil, "docker", "stop", s.container); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"install", "installed", "version", "dump", "migrate"} {
		hook, _ := s.spec.Hook(name)
		arguments := append([]string{"run", "--rm", "--entrypoint", hook.Command[0]}, s.options()...)
		for _, entry := range hook.Environment {
			arguments = append(arguments, "--env", entry)
		}
		arguments = append(append(arguments, s.spec.Front().Image), hook.Command[1:]...)
		if _, err := run(nil, "docker", arguments...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheCodeCannotBeWrittenAndThereIsNoApache(t *testing.T) {
	s := newSite(t, "Solide")
	for _, command := range []string{"touch /opt/wordpress/x", "touch /opt/wordpress/wp-content/themes/x", "touch /opt/chatiere/x", "touch /etc/x", "command -v apache2", "grep -v -e lo: -e '|' /proc/net/dev"} {
		if out, err := run(nil, "docker", "exec", s.container, "sh", "-c", command); err == nil {
			t.Errorf("%s: succeeded: %s", command, out)
		}
	}
}

// drop writes a file of the site, as a plugin or an intruder would.
func drop(t *testing.T, s *site, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
