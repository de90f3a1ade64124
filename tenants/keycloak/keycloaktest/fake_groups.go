package keycloaktest

import (
	"net/http"
	"strings"
)

const admin = "/admin" + realm

type group struct {
	parent     string
	name       string
	attributes map[string][]string
	members    map[string]bool
}

func (f *Fake) serveGroups(mux *http.ServeMux) {
	mux.HandleFunc("GET "+admin+"/group-by-path/{path...}", f.groupByPath)
	mux.HandleFunc("POST "+admin+"/groups", f.makeGroup)
	mux.HandleFunc("POST "+admin+"/groups/{id}/children", f.makeGroup)
	mux.HandleFunc("GET "+admin+"/groups/{id}/children", f.children)
	mux.HandleFunc("GET "+admin+"/groups/{id}/members", f.members)
	mux.HandleFunc("DELETE "+admin+"/groups/{id}", f.deleteGroup)
}

func (f *Fake) path(id string) string {
	if id == "" {
		return ""
	}
	return f.path(f.groups[id].parent) + "/" + f.groups[id].name
}

func (f *Fake) groupView(id string) map[string]any {
	return map[string]any{"id": id, "name": f.groups[id].name, "path": f.path(id), "attributes": f.groups[id].attributes}
}

func (f *Fake) groupByPath(w http.ResponseWriter, r *http.Request) {
	wanted := "/" + strings.Trim(r.PathValue("path"), "/")
	for id := range f.groups {
		if f.path(id) == wanted {
			answer(w, f.groupView(id))
			return
		}
	}
	refuse(w, http.StatusNotFound, "Group path does not exist")
}

func (f *Fake) makeGroup(w http.ResponseWriter, r *http.Request) {
	var wanted struct {
		Name       string              `json:"name"`
		Attributes map[string][]string `json:"attributes"`
	}
	if !read(w, r, &wanted) {
		return
	}
	parent := r.PathValue("id")
	for _, other := range f.groups {
		if other.parent == parent && other.name == wanted.Name {
			refuse(w, http.StatusConflict, "exists")
			return
		}
	}
	id := f.id()
	f.groups[id] = &group{parent: parent, name: wanted.Name, attributes: wanted.Attributes, members: map[string]bool{}}
	created(w, r, id)
}

func (f *Fake) children(w http.ResponseWriter, r *http.Request) {
	views := []map[string]any{}
	for _, id := range ordered(f.groups) {
		if f.groups[id].parent == r.PathValue("id") {
			views = append(views, f.groupView(id))
		}
	}
	answer(w, page(r, views))
}

func (f *Fake) members(w http.ResponseWriter, r *http.Request) {
	found := f.groups[r.PathValue("id")]
	if found == nil {
		refuse(w, http.StatusNotFound, "Could not find group by id")
		return
	}
	views := []map[string]any{}
	for _, id := range ordered(found.members) {
		views = append(views, f.users[id].view(id))
	}
	answer(w, page(r, views))
}

func (f *Fake) deleteGroup(w http.ResponseWriter, r *http.Request) {
	if f.groups[r.PathValue("id")] == nil {
		refuse(w, http.StatusNotFound, "Could not find group by id")
		return
	}
	f.dropGroup(r.PathValue("id"))
	done(w)
}

func (f *Fake) dropGroup(id string) {
	delete(f.groups, id)
	for child, below := range f.groups {
		if below.parent == id {
			f.dropGroup(child)
		}
	}
}
