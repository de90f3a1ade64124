package panel_test

import (
	"strings"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// The page of an operation tells the state of the whole, of each step and what happened when.
func TestAnOperationsPageTellsItsState(t *testing.T) {
	w := newWorld(t)
	w.towns()
	admin := w.signIn(ana)
	began := w.clock.Now().Add(-time.Minute)
	ended := began.Add(12 * time.Second)
	for name, c := range map[string]struct {
		state   operations.State
		problem string
		step    operations.StepRecord
		says    []string
		not     []string
	}{
		"queued":    {operations.Queued, "", operations.StepRecord{State: operations.StepPending}, []string{"en attente", "à venir", "demandé"}, []string{"pris en main"}},
		"running":   {operations.Running, "", operations.StepRecord{State: operations.StepDoing, StartedAt: &began}, []string{"en cours", "pris en main", "commencé"}, []string{"nouvel essai"}},
		"retrying":  {operations.Running, "unavailable", operations.StepRecord{State: operations.StepDoing, StartedAt: &began, Error: "no"}, []string{"nouvel essai", "nouvel essai bientôt"}, nil},
		"waiting":   {operations.Queued, "unavailable", operations.StepRecord{State: operations.StepPending}, []string{"nouvel essai"}, []string{"nouvel essai bientôt"}},
		"stuck":     {operations.Stuck, "unavailable", operations.StepRecord{State: operations.StepDoing, StartedAt: &began, Error: "no"}, []string{"attend quelqu’un", "n’a pas abouti"}, nil},
		"undoing":   {operations.Undoing, "", operations.StepRecord{State: operations.StepUndoing, StartedAt: &began}, []string{"retour en arrière", "se défait"}, nil},
		"undone":    {operations.Undone, "unavailable", operations.StepRecord{State: operations.StepUndone, StartedAt: &began}, []string{">défait<"}, []string{"annulé"}},
		"cancelled": {operations.Undone, string(operations.CauseCancelled), operations.StepRecord{State: operations.StepUndone, StartedAt: &began}, []string{"annulé"}, nil},
		"done":      {operations.Done, "", operations.StepRecord{State: operations.StepDone, StartedAt: &began, EndedAt: &ended}, []string{"réussi", "fait", "tout est fini", "12"}, []string{"nouvel essai"}},
	} {
		op := w.operation(own, operations.Queued)
		op.State, op.Problem = c.state, c.problem
		c.step.Name, c.step.Attempt = op.Steps[0].Name, 1
		op.Steps[0] = c.step
		if c.step.StartedAt != nil {
			op.StartedAt = &began
		}
		if c.state == operations.Done || c.state == operations.Undone {
			op.EndedAt = &ended
		}
		w.records.Put(op)
		page := w.do(admin, ask{path: "/operations/" + op.ID}).body
		_, page, _ = strings.Cut(page, "<h1")
		for _, word := range c.says {
			if !strings.Contains(page, word) {
				t.Errorf("%s: the page does not say %q", name, word)
			}
		}
		for _, word := range c.not {
			if strings.Contains(page, word) {
				t.Errorf("%s: the page says %q", name, word)
			}
		}
	}
}

func TestTheFirstPagePartsWhatRunsFromWhatNeedsSomebody(t *testing.T) {
	w := newWorld(t)
	w.towns()
	admin := w.signIn(ana)
	if page := w.do(admin, ask{path: "/"}).body; !strings.Contains(page, `href="/sites/new"`) || strings.Contains(page, `href="/associations/new"`) {
		t.Error("with associations and no site it does not propose to make one")
	}
	for name, c := range map[string]struct {
		state   operations.State
		problem string
		needs   bool
	}{
		"runs":                    {operations.Running, "", false},
		"tries again":             {operations.Running, "unavailable", false},
		"is stuck":                {operations.Stuck, "unavailable", true},
		"has no room on the disk": {operations.Queued, string(operations.CauseDiskFull), true},
	} {
		op := w.operation(own, operations.Queued)
		op.State, op.Problem = c.state, c.problem
		w.records.Put(op)
		page := w.do(admin, ask{path: "/"}).body
		running, needed := strings.Contains(page, `<h2 id="running">`), strings.Contains(page, `class="needs"`)
		if running == c.needs || needed != c.needs || !strings.Contains(page, "/operations/"+op.ID) {
			t.Errorf("one that %s: among what runs %v, among what needs somebody %v", name, running, needed)
		}
		op.State, op.EndedAt = operations.Done, new(w.clock.Now())
		w.records.Put(op)
		x, err := w.records.Site(t.Context(), op.SiteID)
		must(t, err)
		x.State = tenants.StatePurged
		must(t, w.records.UpdateSite(t.Context(), x))
	}
}
