package panel_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"chatiere/panel"
	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

// choosy has a template that leaves a choice of modes beside the one that leaves none.
type choosy struct{ catalogue }

func (c choosy) Templates() []panel.Template {
	return append(c.catalogue.Templates(), panel.Template{
		Name: "vitrine", Title: "Vitrine", Version: "1", Modes: []string{"autonome", "mutualise"},
		Summary: map[string]string{"fr": "Une vitrine.", "en": "A showcase."},
	})
}

// mode is what the last operation on a site was asked to bring it into.
func (w *world) mode(siteID string) string {
	w.t.Helper()
	ops, err := w.records.Operations(w.t.Context(), operations.Filter{SiteID: siteID, Limit: 1})
	must(w.t, err)
	if len(ops) != 1 {
		w.t.Fatalf("%d operations", len(ops))
	}
	var spec provision.Spec
	must(w.t, json.Unmarshal(ops[0].Spec, &spec))
	return spec.Mode
}

func TestAModeIsOfferedWhereThereIsAChoice(t *testing.T) {
	w := stillWorld(t)
	w.towns()
	w.options.Catalogue = choosy{}
	w.again()
	volunteer, manager := w.signIn(ana), w.signIn(lea)
	const label, coop = "Qui choisit les extensions et les thèmes", "la coopérative (mutualisé)"
	contains(t, w.do(volunteer, ask{path: "/sites/new"}), label, coop)
	plain, x := w.site("lilas", tenants.StateReady), w.site("lilas", tenants.StateReady)
	x.Template = "vitrine"
	must(t, w.records.UpdateSite(t.Context(), x))
	x.Release.Mode = "autonome"
	must(t, w.records.SetRelease(t.Context(), x.Release))
	lacks(t, w.do(volunteer, ask{path: "/sites/" + plain.ID}), "Extensions et thèmes", `name="mode"`)
	contains(t, w.do(volunteer, ask{path: "/sites/" + x.ID}), "Extensions et thèmes choisis par", `<option value="mutualise">`)
	lacks(t, w.do(volunteer, ask{path: "/sites/" + x.ID}), `<option value="autonome">`)
	contains(t, w.do(manager, ask{path: "/sites/" + x.ID}), "l’association (autonome)")
	lacks(t, w.do(manager, ask{path: "/sites/" + x.ID}), `name="mode"`)
	contains(t, w.do(volunteer, ask{path: "/api/v1/sites/" + x.ID}), `"mode":"autonome"`)
	contains(t, w.do(volunteer, ask{path: "/api/v1/templates"}), `"modes":["autonome","mutualise"]`)

	if r := w.do(volunteer, ask{method: "POST", path: "/sites/" + x.ID + "/update", form: url.Values{"mode": {"mutualise"}}}); r.status != http.StatusSeeOther || w.mode(x.ID) != "mutualise" {
		t.Errorf("answered %d, asked for mode %q", r.status, w.mode(x.ID))
	}
	if r := w.do(volunteer, ask{method: "POST", path: "/sites/" + plain.ID + "/update"}); r.status != http.StatusSeeOther || w.mode(plain.ID) != "" {
		t.Errorf("without a mode: answered %d, asked for mode %q", r.status, w.mode(plain.ID))
	}
	spec := url.Values{"association": {"lilas"}, "template": {"vitrine"}, "mode": {"mutualise"}, "name": {"Vitrine"}, "host": {"vitrine"}}
	r := w.do(volunteer, ask{method: "POST", path: "/sites", form: spec})
	op, err := w.records.Operation(t.Context(), strings.TrimPrefix(r.location, "/operations/"))
	if err != nil || w.mode(op.SiteID) != "mutualise" {
		t.Errorf("a new site: answered %d, asked for mode %q (%v)", r.status, w.mode(op.SiteID), err)
	}
	spec.Set("template", "wordpress")
	spec.Set("host", "other")
	contains(t, w.do(volunteer, ask{method: "POST", path: "/sites", form: spec}), "Ce modèle ne laisse pas ce choix")
}

func TestTheAPITakesAMode(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x := w.site("lilas", tenants.StateReady)
	x.Template = "vitrine"
	must(t, w.records.UpdateSite(t.Context(), x))
	volunteer := w.signIn(ana)
	path := "/api/v1/sites/" + x.ID + "/update"
	if r := w.do(volunteer, ask{method: "POST", path: path + "?mode=shared", json: "{}"}); r.status < 400 || r.status >= 500 {
		t.Errorf("a mode that there is not: %d", r.status)
	}
	if r := w.do(volunteer, ask{method: "POST", path: path + "?mode=mutualise", json: "{}"}); r.status != http.StatusAccepted || w.mode(x.ID) != "mutualise" {
		t.Errorf("answered %d, asked for mode %q", r.status, w.mode(x.ID))
	}
}
