package entrants_test

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/entrants"
)

const issuer = "https://id.lilas.example/realms/lilas"

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// world answers every port from maps.
type world struct {
	sites    []tenants.Site
	entrants map[string][]tenants.Entrant
	files    map[string]string
	printed  map[string]string
	broken   map[string]error
	asked    []string
	saved    map[string][]tenants.SiteAccount
	now      time.Time
}

func (w *world) LiveSites(context.Context) ([]tenants.Site, error) { return w.sites, nil }
func (w *world) Entrants(context.Context) (map[string][]tenants.Entrant, error) {
	return w.entrants, w.broken["records"]
}
func (w *world) SaveSiteAccounts(_ context.Context, id string, a []tenants.SiteAccount) error {
	w.saved[id] = a
	return nil
}
func (w *world) SaveEntrants(_ context.Context, s tenants.Site, content []byte) (bool, error) {
	if err := w.broken["file of "+s.ID]; err != nil {
		return false, err
	}
	changed := w.files[s.ID] != string(content)
	w.files[s.ID] = string(content)
	return changed, nil
}
func (w *world) RunHook(_ context.Context, s tenants.Site, name string) (string, error) {
	w.asked = append(w.asked, s.ID+" "+name)
	return w.printed[s.ID], w.broken[s.ID]
}

func newWorld() (*world, *entrants.Keeper) {
	w := &world{
		sites: []tenants.Site{
			{ID: "s1", AssociationID: "a1", State: tenants.StateReady}, {ID: "s2", AssociationID: "a2", State: tenants.StateSuspended},
			{ID: "s3", AssociationID: "a1", State: tenants.StateCreating},
		},
		entrants: map[string][]tenants.Entrant{
			"": {{Subject: "ada"}}, "a1": {{Subject: "lea", SignedOutAt: noon}, {Subject: "ada"}},
		},
		files: map[string]string{}, printed: map[string]string{}, broken: map[string]error{}, saved: map[string][]tenants.SiteAccount{}, now: noon,
	}
	return w, &entrants.Keeper{
		Issuer: issuer, Records: w, Files: w, Hooks: w, Now: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler),
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEachSiteGetsItsManagersAndTheCoopsVolunteers(t *testing.T) {
	w, k := newWorld()
	must(t, k.Publish(t.Context()))
	want := map[string]string{
		"s1": `{"issuer":"` + issuer + `","people":{"ada":0,"lea":1795348800}}` + "\n",
		"s2": `{"issuer":"` + issuer + `","people":{"ada":0}}` + "\n",
	}
	if !reflect.DeepEqual(w.files, want) {
		t.Errorf("got %v, want %v", w.files, want)
	}
	delete(w.entrants, "a1")
	w.broken["file of s2"] = errors.New("disk full")
	if err := k.Publish(t.Context()); err == nil || w.files["s1"] != w.files["s2"] {
		t.Errorf("one site's trouble kept the other from its list: %v, %v", w.files, err)
	}
}

func TestRecordsThatDoNotAnswerEndNobodysSessions(t *testing.T) {
	w, k := newWorld()
	must(t, k.Publish(t.Context()))
	before := w.files["s1"]
	w.entrants, w.broken["records"] = nil, errors.New("away")
	if err := k.Publish(t.Context()); err == nil || w.files["s1"] != before {
		t.Errorf("%v, and the site reads %s", err, w.files["s1"])
	}
}

func TestAccountsAreListedWhenAListChangesAndAgainUntilThatWorks(t *testing.T) {
	w, k := newWorld()
	must(t, k.Survey(t.Context()))
	if len(w.asked) != 0 {
		t.Errorf("without a change %v were asked", w.asked)
	}
	w.printed["s1"] = `{"accounts":[
		{"login":"lea","administrator":true,"people":[{"iss":"` + issuer + `","sub":"lea"}]},
		{"login":"porte","local":true,"administrator":true,"keys":2,"people":[{"iss":"` + issuer + `","sub":"lea"},{"iss":"https://former.example","sub":"x"}]}]}`
	w.broken["s1"] = errors.New("stopped")
	must(t, k.Publish(t.Context()))
	for range 2 {
		must(t, k.Survey(t.Context()))
		must(t, k.Survey(t.Context())) // one that failed is left alone for some minutes
		w.now = w.now.Add(11 * time.Minute)
	}
	if len(w.saved) != 0 {
		t.Errorf("a hook that failed changed %v", w.saved)
	}
	delete(w.broken, "s1")
	must(t, k.Survey(t.Context()))
	must(t, k.Survey(t.Context()))
	if len(w.asked) != 3 {
		t.Errorf("asked %v, want s1 three times", w.asked)
	}
	want := map[string][]tenants.SiteAccount{"s1": {
		{SiteID: "s1", Login: "lea", Administrator: true, Subjects: []string{"lea"}},
		{SiteID: "s1", Login: "porte", Local: true, Administrator: true, Keys: 2, Subjects: []string{"lea"}},
	}}
	if !reflect.DeepEqual(w.saved, want) {
		t.Errorf("saved %+v, want %+v", w.saved, want)
	}
	w.sites[1].State = tenants.StateReady // its list changed while it was stopped
	must(t, k.Survey(t.Context()))
	if n := len(w.asked); w.asked[n-1] != "s2 accounts" {
		t.Errorf("asked %v, want s2 at last", w.asked)
	}
	w.now = w.now.Add(13 * time.Hour)
	must(t, k.Survey(t.Context()))
	if len(w.asked) != 6 {
		t.Errorf("half a day later: asked %v, want both again", w.asked)
	}
}

func TestAHooksOutputThatIsNoListChangesNothing(t *testing.T) {
	w, k := newWorld()
	w.printed["s1"] = "PHP Warning: nonsense"
	must(t, k.Publish(t.Context()))
	must(t, k.Survey(t.Context()))
	if len(w.saved) != 0 {
		t.Errorf("saved %v", w.saved)
	}
}
