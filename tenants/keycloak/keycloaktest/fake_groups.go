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
	mux.HandleFunc("GET "+admin+"/groups", f.searchGroups)
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
	name := f.groups[id].name
	if f.EscapeSlashes {
		name = strings.ReplaceAll(name, "/", "~/")
	}
	return f.path(f.groups[id].parent) + "/" + name
}

func (f *Fake) groupView(id string) map[string]any {
	view := map[string]any{"id": id, "name": f.groups[id].name, "path": f.path(id), "attributes": f.groups[id].attributes}
	if parent := f.groups[id].parent; parent != "" {
		view["parentId"] = parent
	}
	return view
}

func (f *Fake) groupByPath(w http.ResponseWriter, r *http.Request) {
	wanted := "/" + strings.Trim(r.PathValue("path"), "/")
	best := ""
	for id := range f.groups {
		// Of several whose path reads the same, the worst one: the one that has the slashes in its name.
		if f.path(id) == wanted && (best == "" || strings.Count(f.groups[id].name, "/") > strings.Count(f.groups[best].name, "/")) {
			best = id
		}
	}
	if best == "" {
		refuse(w, http.StatusNotFound, "Group path does not exist")
		return
	}
	answer(w, f.groupView(best))
}

func (f *Fake) searchGroups(w http.ResponseWriter, r *http.Request) {
	views := []map[string]any{}
	for _, id := range ordered(f.groups) {
		if f.groups[id].parent == "" && f.groups[id].name == r.URL.Query().Get("search") {
			views = append(views, f.groupView(id))
		}
	}
	answer(w, page(r, views))
}

// AddGroup makes a group of any name below the group at path ("" for the top), as somebody who may make groups can, and
// returns its id.
func (f *Fake) AddGroup(path, name string, members ...string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	parent := ""
	for id := range f.groups {
		if f.path(id) == path {
			parent = id
		}
	}
	id := f.id()
	f.groups[id] = &group{parent: parent, name: name, members: map[string]bool{}}
	for _, m := range members {
		f.groups[id].members[m] = true
	}
	return id
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

// GroupNames lists the names of all groups, as they were made.
func (f *Fake) GroupNames() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, id := range ordered(f.groups) {
		out = append(out, f.groups[id].name)
	}
	return out
}
