package demo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"chatiere/cmd/internal/demo"
	"chatiere/panel/api"
)

// known is what the caller knows of the instance.
var known = demo.Summary{PanelURL: "https://panel.lilas.example:8443", KeycloakURL: "https://id.lilas.example:8443", CACert: "/ca.pem"}

// runs counts secrets through all runs of a test, so that each is another.
type runs struct {
	*platform
	file    string
	secrets int
	said    []string
}

func newRuns(t *testing.T) *runs {
	t.Helper()
	return &runs{platform: newPlatform(), file: filepath.Join(t.TempDir(), "made", "summary.json")}
}

func (r *runs) run(ctx context.Context) (demo.Summary, error) {
	secret := func(kind string) func() string {
		return func() string {
			r.secrets++
			return fmt.Sprintf("%s-%d", kind, r.secrets)
		}
	}
	return demo.Demo{
		Panel: r.platform, Directory: r.platform, Applications: r.platform, Domain: "lilas.example", File: r.file,
		Secret: secret("password"), TOTP: secret("totp"), Say: func(line string) { r.said = append(r.said, line) },
	}.Run(ctx, known)
}

func (r *runs) mustRun(t *testing.T) demo.Summary {
	t.Helper()
	s, err := r.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (r *runs) written(t *testing.T) demo.Summary {
	t.Helper()
	data, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	var s demo.Summary
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return s
}

// check compares the platform with the summary: everything once, and every password the one that holds.
func (r *runs) check(t *testing.T) {
	t.Helper()
	s := r.written(t)
	if s.PanelURL != known.PanelURL || s.KeycloakURL != known.KeycloakURL || s.CACert != known.CACert || s.Association != "amap-du-puy" {
		t.Errorf("got %+v", s)
	}
	for group, person := range map[string]demo.Person{
		"/coop/admins": s.Admin, "/assos/amap-du-puy/gestion": s.Manager, "/assos/amap-du-puy/membres": s.Member, "/assos/chorale-mi-sol/membres": s.Outsider,
	} {
		if a := r.people[person.Username]; person.Password == "" || a.Person != person || a.Group != group || a.Email == "" {
			t.Errorf("the summary says %+v of %s, the directory %+v", person, group, a)
		}
	}
	if s.Admin.TOTPSecret == "" {
		t.Error("the admin has no second factor")
	}
	if len(r.people) != 4 || len(r.associations) != 2 || len(r.sites) != 1 {
		t.Fatalf("%d people, %d associations, %d sites", len(r.people), len(r.associations), len(r.sites))
	}
	want := demo.Site{ID: r.sites[0].ID, URL: "https://amap.lilas.example:8443", Template: "wordpress", WPUser: "chatiere", WPAppPassword: r.password()}
	if len(s.Sites) != 1 || s.Sites[0] != want || r.sites[0].State != "ready" {
		t.Errorf("the summary says %+v, the site is %+v with password %q", s.Sites, r.sites[0], r.password())
	}
	if !slices.Contains(r.tokens, s.APIToken) {
		t.Errorf("the token %q is none of %q", s.APIToken, r.tokens)
	}
}

func TestTheFirstRunMakesEverything(t *testing.T) {
	r := newRuns(t)
	if got := r.mustRun(t); got.APIToken != "cht_1" {
		t.Errorf("got %+v", got)
	}
	r.check(t)
	if len(r.said) != 3 {
		t.Errorf("people were told %q", r.said)
	}
}

func TestASecondRunKeepsPasswordsAndAsksForNothing(t *testing.T) {
	r := newRuns(t)
	r.mustRun(t)
	before, secrets, given := r.written(t), r.secrets, r.passwords
	r.wishes, r.said = nil, nil
	r.mustRun(t)
	r.check(t)
	if after := r.written(t); after.Admin != before.Admin || after.Manager != before.Manager || after.Member != before.Member || after.Outsider != before.Outsider || after.APIToken != before.APIToken {
		t.Errorf("the summary changed from %+v to %+v", before, after)
	}
	if len(r.wishes) != 0 || len(r.said) != 0 || r.secrets != secrets || r.passwords != given {
		t.Errorf("asked for %v, said %q, %d secrets, %d application passwords", r.wishes, r.said, r.secrets-secrets, r.passwords-given)
	}
}

func TestARunThatIsKilledAnywhereIsCompletedByTheNext(t *testing.T) {
	killed := 0
	for ; ; killed++ {
		r := newRuns(t)
		r.left = killed
		_, err := r.run(t.Context())
		if err == nil {
			break
		}
		if !errors.Is(err, errKilled) {
			t.Fatalf("killed at call %d: %v", killed, err)
		}
		var kept demo.Summary
		if killed > 0 {
			kept = r.written(t)
		}
		r.left = -1
		if _, err := r.run(t.Context()); err != nil {
			t.Errorf("killed at call %d, the next run: %v", killed, err)
			continue
		}
		r.check(t)
		if after := r.written(t); killed > 0 && (after.Admin != kept.Admin || after.Member != kept.Member) {
			t.Errorf("killed at call %d: passwords changed from %+v to %+v", killed, kept.Admin, after.Admin)
		}
	}
	if killed < 12 {
		t.Errorf("a whole run is %d calls: this test tried nothing", killed)
	}
}

func TestALostSummaryIsMadeAgainAndHolds(t *testing.T) {
	r := newRuns(t)
	before := r.mustRun(t)
	if err := os.Remove(r.file); err != nil {
		t.Fatal(err)
	}
	r.wishes = nil
	after := r.mustRun(t)
	r.check(t)
	if after.Admin == before.Admin || after.APIToken == before.APIToken {
		t.Error("a secret was remembered without the summary")
	}
	if !slices.Equal(r.wishes, []string{api.PathTokens}) {
		t.Errorf("asked for %v", r.wishes)
	}
}

func TestASiteThatWasDeletedIsMadeAgain(t *testing.T) {
	r := newRuns(t)
	r.mustRun(t)
	r.sites[0].State, r.sites[0].Host = "purged", ""
	if s := r.mustRun(t); len(s.Sites) != 1 || s.Sites[0].ID != r.sites[1].ID || s.Sites[0].WPAppPassword != r.password() {
		t.Errorf("got %+v", s.Sites)
	}
}

func TestASiteThatSomebodyMadeAgainIsTheOneInTheSummary(t *testing.T) {
	r := newRuns(t)
	r.mustRun(t)
	r.sites[0].ID = "s7k2m9qx4p"
	r.mustRun(t)
	r.check(t)
}

func TestOtherSitesOfTheAssociationAreNotTheDemos(t *testing.T) {
	r := newRuns(t)
	r.associations["amap-du-puy"] = &api.Association{Slug: "amap-du-puy", State: "active"}
	r.sites = []*api.Site{{ID: "s000000009", Association: "amap-du-puy", Host: "boutique.lilas.example", State: "ready"}}
	if s := r.mustRun(t); len(s.Sites) != 1 || s.Sites[0].URL != "https://amap.lilas.example:8443" {
		t.Errorf("got %+v", s.Sites)
	}
}

func TestTheDemoWaitsForItsOwnOperationsAlone(t *testing.T) {
	r := newRuns(t)
	other := r.begin("site.provision", "les-roses", "s000000009")
	r.mustRun(t)
	if other.Ended() {
		t.Error("the run waited for another association's site")
	}
}

func TestAnAssociationThatIsStuckStopsTheRun(t *testing.T) {
	r := newRuns(t)
	r.associations["amap-du-puy"] = &api.Association{Slug: "amap-du-puy", State: "creating"}
	r.begin("association.create", "amap-du-puy", "").State = "stuck"
	if _, err := r.run(t.Context()); err == nil || !strings.Contains(err.Error(), "amap-du-puy") || len(r.people) != 0 {
		t.Errorf("got %v, and %d people of an association that is not there", err, len(r.people))
	}
}

func TestPasswordsAreKeptBeforeAnyAccountIsMade(t *testing.T) {
	r := newRuns(t)
	r.left = 0 // dies of the first call of all
	if _, err := r.run(t.Context()); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	if s := r.written(t); s.Admin.Password == "" || s.Member.Password == "" || s.Outsider.Password == "" || len(r.people) != 0 {
		t.Errorf("written is %+v, made are %d people", s, len(r.people))
	}
}

func TestTheSummaryIsForItsOwnerAlone(t *testing.T) {
	r := newRuns(t)
	r.mustRun(t)
	for path, want := range map[string]os.FileMode{r.file: 0o600, filepath.Dir(r.file): 0o700} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
	left, err := os.ReadDir(filepath.Dir(r.file))
	if err != nil || len(left) != 1 {
		t.Errorf("beside the summary lie %v, %v", left, err)
	}
}

func TestASummaryThatCannotBeReadIsLeftForAPerson(t *testing.T) {
	r := newRuns(t)
	if err := os.MkdirAll(filepath.Dir(r.file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.file, []byte(`{"admin": `), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.run(t.Context()); err == nil || !strings.Contains(err.Error(), "last summary") {
		t.Errorf("got %v", err)
	}
	if data, err := os.ReadFile(r.file); err != nil || string(data) != `{"admin": ` || len(r.wishes) != 0 {
		t.Errorf("the file holds %q, %v; asked for %v", data, err, r.wishes)
	}
}

func TestAnOperationThatFailsIsReportedWithItsProblem(t *testing.T) {
	r := newRuns(t)
	r.fail = "image_missing"
	if _, err := r.run(t.Context()); err == nil || !strings.Contains(err.Error(), "undone") || !strings.Contains(err.Error(), "image_missing") {
		t.Errorf("got %v", err)
	}
}

func TestASiteThatFailedInAnEarlierRunIsTriedAgain(t *testing.T) {
	r := newRuns(t)
	r.mustRun(t)
	// An earlier run left an operation whose end nobody saw, and it fails.
	r.sites[0].State = "creating"
	r.begin("site.provision", "amap-du-puy", r.sites[0].ID)
	r.fail = "image_missing"
	if _, err := r.run(t.Context()); err == nil {
		t.Fatal("the failure went by unseen")
	}
	r.fail = ""
	r.mustRun(t)
	r.check(t)
}
