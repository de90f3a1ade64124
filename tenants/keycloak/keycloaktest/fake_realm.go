package keycloaktest

import (
	"maps"
	"net/http"
)

type scope struct {
	name    string
	mappers map[string]map[string]any
}

func (f *Fake) serveRealm(mux *http.ServeMux) {
	mux.HandleFunc("GET "+admin, func(w http.ResponseWriter, _ *http.Request) { answer(w, f.realm) })
	mux.HandleFunc("PUT "+admin, func(w http.ResponseWriter, r *http.Request) { replace(w, r, &f.realm) })
	mux.HandleFunc("GET "+admin+"/users/profile", func(w http.ResponseWriter, _ *http.Request) { answer(w, f.profile) })
	mux.HandleFunc("PUT "+admin+"/users/profile", func(w http.ResponseWriter, r *http.Request) { replace(w, r, &f.profile) })
	mux.HandleFunc("GET "+admin+"/clients", f.findClients)
	mux.HandleFunc("POST "+admin+"/clients", f.makeClient)
	mux.HandleFunc("PUT "+admin+"/clients/{id}", f.changeClient)
	mux.HandleFunc("GET "+admin+"/clients/{id}/default-client-scopes", f.scopesOf)
	mux.HandleFunc("PUT "+admin+"/clients/{id}/default-client-scopes/{scope}", f.giveScope)
	mux.HandleFunc("GET "+admin+"/client-scopes", f.listScopes)
	mux.HandleFunc("POST "+admin+"/client-scopes", f.makeScope)
	mux.HandleFunc("GET "+admin+"/client-scopes/{id}/protocol-mappers/models", f.mappers)
	mux.HandleFunc("POST "+admin+"/client-scopes/{id}/protocol-mappers/models", f.makeMapper)
	mux.HandleFunc("PUT "+admin+"/client-scopes/{id}/protocol-mappers/models/{mapper}", f.changeMapper)
}

// scopesKey is where a client's scopes are kept; it is no part of what is shown of the client.
const scopesKey = "\x00scopes"

func replace(w http.ResponseWriter, r *http.Request, target *map[string]any) {
	wanted := map[string]any{}
	if read(w, r, &wanted) {
		*target = wanted
		done(w)
	}
}

func (f *Fake) findClients(w http.ResponseWriter, r *http.Request) {
	views := []map[string]any{}
	for _, id := range ordered(f.clients) {
		if f.clients[id]["clientId"] == r.FormValue("clientId") {
			view := maps.Clone(f.clients[id])
			delete(view, scopesKey)
			views = append(views, view)
		}
	}
	answer(w, views)
}

func (f *Fake) makeClient(w http.ResponseWriter, r *http.Request) {
	wanted := map[string]any{}
	if !read(w, r, &wanted) {
		return
	}
	id := f.id()
	wanted["id"] = id
	f.clients[id] = wanted
	created(w, r, id)
}

func (f *Fake) changeClient(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	wanted := map[string]any{}
	if f.clients[id] == nil {
		refuse(w, http.StatusNotFound, "Could not find client")
		return
	}
	if read(w, r, &wanted) {
		wanted[scopesKey] = f.clients[id][scopesKey]
		f.clients[id] = wanted
		done(w)
	}
}

func (f *Fake) given(id string) map[string]bool {
	given, _ := f.clients[id][scopesKey].(map[string]bool)
	return given
}

func (f *Fake) scopesOf(w http.ResponseWriter, r *http.Request) {
	views := []map[string]any{}
	for id := range f.given(r.PathValue("id")) {
		views = append(views, map[string]any{"id": id, "name": f.scopes[id].name})
	}
	answer(w, views)
}

func (f *Fake) giveScope(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if f.clients[id] == nil || f.scopes[r.PathValue("scope")] == nil {
		refuse(w, http.StatusNotFound, "Client scope not found")
		return
	}
	given := maps.Clone(f.given(id))
	if given == nil {
		given = map[string]bool{}
	}
	given[r.PathValue("scope")] = true
	f.clients[id][scopesKey] = given
	done(w)
}

func (f *Fake) listScopes(w http.ResponseWriter, _ *http.Request) {
	views := []map[string]any{}
	for _, id := range ordered(f.scopes) {
		views = append(views, map[string]any{"id": id, "name": f.scopes[id].name})
	}
	answer(w, views)
}

func (f *Fake) makeScope(w http.ResponseWriter, r *http.Request) {
	var wanted struct {
		Name string `json:"name"`
	}
	if read(w, r, &wanted) {
		id := f.id()
		f.scopes[id] = &scope{name: wanted.Name, mappers: map[string]map[string]any{}}
		created(w, r, id)
	}
}

func (f *Fake) mappers(w http.ResponseWriter, r *http.Request) {
	views := []map[string]any{}
	if found := f.scopes[r.PathValue("id")]; found != nil {
		for _, mapper := range found.mappers {
			views = append(views, mapper)
		}
	}
	answer(w, views)
}

func (f *Fake) makeMapper(w http.ResponseWriter, r *http.Request) {
	wanted := map[string]any{}
	if read(w, r, &wanted) {
		id := f.id()
		wanted["id"] = id
		f.scopes[r.PathValue("id")].mappers[id] = wanted
		created(w, r, id)
	}
}

func (f *Fake) changeMapper(w http.ResponseWriter, r *http.Request) {
	wanted := map[string]any{}
	if read(w, r, &wanted) {
		f.scopes[r.PathValue("id")].mappers[r.PathValue("mapper")] = wanted
		done(w)
	}
}
