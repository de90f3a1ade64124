package keycloaktest

import (
	"maps"
	"net/http"
	"strings"
)

type user struct {
	record map[string]any
}

func (u *user) view(id string) map[string]any {
	view := maps.Clone(u.record)
	view["id"] = id
	return view
}

func (u *user) text(key string) string {
	value, _ := u.record[key].(string)
	return value
}

func (f *Fake) serveUsers(mux *http.ServeMux) {
	mux.HandleFunc("GET "+admin+"/users", f.findUsers)
	mux.HandleFunc("POST "+admin+"/users", f.makeUser)
	mux.HandleFunc("DELETE "+admin+"/users/{id}", f.withUser(func(w http.ResponseWriter, _ *http.Request, id string) {
		delete(f.users, id)
		for _, group := range f.groups {
			delete(group.members, id)
		}
		done(w)
	}))
	mux.HandleFunc("PUT "+admin+"/users/{id}/reset-password", f.withUser(f.resetPassword))
	mux.HandleFunc("POST "+admin+"/users/{id}/logout", f.withUser(func(w http.ResponseWriter, _ *http.Request, _ string) { done(w) }))
	mux.HandleFunc("PUT "+admin+"/users/{id}/execute-actions-email", f.withUser(func(w http.ResponseWriter, _ *http.Request, _ string) { done(w) }))
	mux.HandleFunc("GET "+admin+"/users/{id}/groups", f.withUser(f.groupsOf))
	mux.HandleFunc("PUT "+admin+"/users/{id}/groups/{group}", f.withUser(f.join))
	mux.HandleFunc("DELETE "+admin+"/users/{id}/groups/{group}", f.withUser(f.leave))
}

func (f *Fake) withUser(serve func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		if f.users[id] == nil {
			refuse(w, http.StatusNotFound, "User not found")
			return
		}
		serve(w, r, id)
	}
}

func (f *Fake) findUsers(w http.ResponseWriter, r *http.Request) {
	views := []map[string]any{}
	for _, id := range ordered(f.users) {
		for _, field := range []string{"username", "email"} {
			if wanted := r.FormValue(field); wanted != "" && f.users[id].text(field) == wanted {
				views = append(views, f.users[id].view(id))
			}
		}
	}
	answer(w, page(r, views))
}

func (f *Fake) makeUser(w http.ResponseWriter, r *http.Request) {
	record := map[string]any{}
	if !read(w, r, &record) {
		return
	}
	made := &user{record: record}
	for _, other := range f.users {
		sameAddress := made.text("email") != "" && other.text("email") == made.text("email")
		if sameAddress || other.text("username") == made.text("username") {
			refuse(w, http.StatusConflict, "User exists with same username or email")
			return
		}
	}
	credentials, _ := record["credentials"].([]any)
	for _, one := range credentials {
		credential, _ := one.(map[string]any)
		password, _ := credential["value"].(string)
		if credential["type"] == "password" && weak(w, password, made) {
			return
		}
	}
	delete(record, "credentials")
	id := f.id()
	f.users[id] = made
	created(w, r, id)
}

// weak refuses a password as our realm's policy does.
func weak(w http.ResponseWriter, password string, of *user) bool {
	code := ""
	switch {
	case len(password) < 12:
		code = "invalidPasswordMinLengthMessage"
	case strings.EqualFold(password, "azertyazerty"):
		code = "invalidPasswordBlacklistedMessage"
	case password == of.text("email"):
		code = "invalidPasswordNotEmailMessage"
	case password == of.text("username"):
		code = "invalidPasswordNotUsernameMessage"
	default:
		return false
	}
	refuse(w, http.StatusBadRequest, code)
	return true
}

func (f *Fake) resetPassword(w http.ResponseWriter, r *http.Request, id string) {
	var wanted struct {
		Value string `json:"value"`
	}
	if read(w, r, &wanted) && !weak(w, wanted.Value, f.users[id]) {
		done(w)
	}
}

func (f *Fake) groupsOf(w http.ResponseWriter, r *http.Request, id string) {
	views := []map[string]any{}
	for _, group := range ordered(f.groups) {
		if f.groups[group].members[id] {
			views = append(views, f.groupView(group))
		}
	}
	answer(w, page(r, views))
}

func (f *Fake) join(w http.ResponseWriter, r *http.Request, id string) {
	if group := f.groups[r.PathValue("group")]; group != nil {
		group.members[id] = true
		done(w)
		return
	}
	refuse(w, http.StatusNotFound, "Group not found")
}

func (f *Fake) leave(w http.ResponseWriter, r *http.Request, id string) {
	if group := f.groups[r.PathValue("group")]; group != nil {
		delete(group.members, id)
	}
	done(w)
}
