package keycloaktest

import (
	"net/http"
)

// flow is one flow, inner ones included; its steps are in order.
type flow struct {
	alias string
	top   bool
	steps []*step
}

type step struct {
	id          string
	provider    string
	flow        string
	requirement string
	config      string
}

func (f *Fake) serveFlows(mux *http.ServeMux) {
	const flows = admin + "/authentication/flows"
	mux.HandleFunc("GET "+flows, f.listFlows)
	mux.HandleFunc("POST "+flows, f.makeFlow)
	mux.HandleFunc("DELETE "+flows+"/{id}", f.deleteFlow)
	mux.HandleFunc("GET "+flows+"/{alias}/executions", f.listSteps)
	mux.HandleFunc("PUT "+flows+"/{alias}/executions", f.changeStep)
	mux.HandleFunc("POST "+flows+"/{alias}/executions/execution", f.addStep)
	mux.HandleFunc("POST "+flows+"/{alias}/executions/flow", f.addFlow)
	mux.HandleFunc("POST "+admin+"/authentication/executions/{id}/config", f.makeConfig)
	mux.HandleFunc("GET "+admin+"/authentication/config/{id}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, f.configs[r.PathValue("id")])
	})
}

func (f *Fake) flowByAlias(alias string) *flow {
	for _, one := range f.flows {
		if one.alias == alias {
			return one
		}
	}
	return nil
}

func (f *Fake) listFlows(w http.ResponseWriter, _ *http.Request) {
	views := []map[string]any{}
	for _, id := range ordered(f.flows) {
		if f.flows[id].top {
			views = append(views, map[string]any{"id": id, "alias": f.flows[id].alias})
		}
	}
	answer(w, views)
}

func (f *Fake) makeFlow(w http.ResponseWriter, r *http.Request) {
	var wanted struct {
		Alias string `json:"alias"`
	}
	if !read(w, r, &wanted) {
		return
	}
	if f.flowByAlias(wanted.Alias) != nil {
		refuse(w, http.StatusConflict, "Flow already exists")
		return
	}
	id := f.id()
	f.flows[id] = &flow{alias: wanted.Alias, top: true}
	created(w, r, id)
}

// deleteFlow refuses, as Keycloak does, by a fault of the server, a flow that is in force.
func (f *Fake) deleteFlow(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	inForce := f.flows[id] != nil && f.realm["browserFlow"] == f.flows[id].alias
	for _, client := range f.clients {
		overrides, _ := client["authenticationFlowBindingOverrides"].(map[string]any)
		inForce = inForce || overrides["browser"] == id
	}
	if inForce {
		refuse(w, http.StatusInternalServerError, "unknown_error")
		return
	}
	f.dropFlow(id)
	done(w)
}

func (f *Fake) dropFlow(id string) {
	if found := f.flows[id]; found != nil {
		for _, one := range found.steps {
			f.dropFlow(one.flow)
		}
	}
	delete(f.flows, id)
}

func (f *Fake) stepsOf(one *flow, level int) []map[string]any {
	views := []map[string]any{}
	for index, step := range one.steps {
		view := map[string]any{"id": step.id, "requirement": step.requirement, "level": level, "index": index}
		if step.config != "" {
			view["authenticationConfig"] = step.config
		}
		if step.flow == "" {
			view["providerId"] = step.provider
			views = append(views, view)
			continue
		}
		view["authenticationFlow"], view["displayName"] = true, f.flows[step.flow].alias
		views = append(append(views, view), f.stepsOf(f.flows[step.flow], level+1)...)
	}
	return views
}

func (f *Fake) listSteps(w http.ResponseWriter, r *http.Request) {
	if found := f.flowByAlias(r.PathValue("alias")); found != nil {
		answer(w, f.stepsOf(found, 0))
		return
	}
	refuse(w, http.StatusNotFound, "flow not found")
}

func (f *Fake) stepByID(id string) *step {
	for _, one := range f.flows {
		for _, step := range one.steps {
			if step.id == id {
				return step
			}
		}
	}
	return nil
}

func (f *Fake) changeStep(w http.ResponseWriter, r *http.Request) {
	var wanted struct{ ID, Requirement string }
	if !read(w, r, &wanted) {
		return
	}
	found := f.stepByID(wanted.ID)
	if found == nil {
		refuse(w, http.StatusNotFound, "Illegal execution")
		return
	}
	found.requirement = wanted.Requirement
	done(w)
}

func (f *Fake) addStep(w http.ResponseWriter, r *http.Request) {
	var wanted struct{ Provider string }
	found := f.flowByAlias(r.PathValue("alias"))
	if found == nil || !read(w, r, &wanted) {
		refuse(w, http.StatusBadRequest, "Parent flow doesn't exist")
		return
	}
	id := f.id()
	found.steps = append(found.steps, &step{id: id, provider: wanted.Provider, requirement: "DISABLED"})
	created(w, r, id)
}

func (f *Fake) addFlow(w http.ResponseWriter, r *http.Request) {
	var wanted struct{ Alias string }
	found := f.flowByAlias(r.PathValue("alias"))
	if found == nil || !read(w, r, &wanted) {
		refuse(w, http.StatusBadRequest, "Parent flow doesn't exist")
		return
	}
	if f.flowByAlias(wanted.Alias) != nil {
		refuse(w, http.StatusConflict, "New flow alias name already exists")
		return
	}
	inner := f.id()
	f.flows[inner] = &flow{alias: wanted.Alias}
	found.steps = append(found.steps, &step{id: f.id(), flow: inner, requirement: "DISABLED"})
	created(w, r, inner)
}

func (f *Fake) makeConfig(w http.ResponseWriter, r *http.Request) {
	wanted := map[string]any{}
	if !read(w, r, &wanted) {
		return
	}
	found := f.stepByID(r.PathValue("id"))
	if found == nil {
		refuse(w, http.StatusNotFound, "Illegal execution")
		return
	}
	found.config = f.id()
	f.configs[found.config] = wanted
	created(w, r, found.config)
}
