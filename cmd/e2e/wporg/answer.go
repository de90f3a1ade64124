package wporg

import (
	"encoding/json"
	"net/http"
	"strings"
)

// ServeHTTP answers as wordpress.org does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, _ := strings.Cut(r.Host, ":")
	s.mu.Lock()
	s.asked[host+r.URL.Path]++
	s.mu.Unlock()
	if host == "downloads.wordpress.org" {
		s.download(w, r)
		return
	}
	switch r.URL.Path {
	case "/plugins/info/1.2/":
		s.inform(w, r, Plugin)
	case "/themes/info/1.2/":
		s.inform(w, r, Theme)
	case "/plugins/update-check/1.1/":
		s.compare(w, r, Plugin)
	case "/themes/update-check/1.1/":
		s.compare(w, r, Theme)
	case "/translations/core/1.0/", "/translations/plugins/1.0/", "/translations/themes/1.0/":
		tell(w, map[string]any{"translations": []any{}})
	case "/soap":
		soap(w)
	case "/echo":
		tell(w, map[string]any{"host": host, "method": r.Method})
	case "/":
		tell(w, map[string]any{"standin": true})
	default:
		tell(w, map[string]any{})
	}
}

func tell(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // whoever hung up asks again
}

// inform answers the two questions of plugins_api() and themes_api() that an installation needs.
func (s *Server) inform(w http.ResponseWriter, r *http.Request, kind Kind) {
	q := r.URL.Query()
	switch strings.TrimPrefix(q.Get("action"), string(kind)+"_") {
	case "information":
		if p, ok := s.find(kind, q.Get("request[slug]")); ok {
			tell(w, p.described())
			return
		}
		w.WriteHeader(http.StatusNotFound)
		tell(w, map[string]any{"error": "Not found."})
	case "query_" + string(kind) + "s":
		found := s.search(kind, q.Get("request[search]"))
		tell(w, map[string]any{"info": map[string]any{"page": 1, "pages": 1, "results": len(found)}, string(kind) + "s": found})
	default: // hot_tags, feature_list …
		tell(w, map[string]any{})
	}
}

func (s *Server) find(kind Kind, slug string) (Package, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.packages {
		if p.Kind == kind && p.Slug == slug {
			return p, true
		}
	}
	return Package{}, false
}

// search returns all for an empty word, since WordPress browses "popular" and "featured" with the same question.
func (s *Server) search(kind Kind, word string) []map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []map[string]any{}
	for _, p := range s.packages {
		if p.Kind == kind && strings.Contains(strings.ToLower(p.Name+" "+p.Summary), strings.ToLower(word)) {
			found = append(found, p.described())
		}
	}
	return found
}

// picture is something that every WordPress serves by itself: a browser under test asks nobody else.
const picture = "/wp-admin/images/w-logo-blue.png"

// described is a package as both catalogues tell of it; WordPress takes what it needs.
func (p Package) described() map[string]any {
	d := map[string]any{
		"name": p.Name, "slug": p.Slug, "version": p.Version, "download_link": p.link(p.Version), "requires": "6.0", "tested": "6.8", "requires_php": "8.0",
		"rating": 96, "num_ratings": 12, "active_installs": 2000, "last_updated": "2026-10-01 10:00am GMT", "short_description": p.Summary,
		"description": p.Summary, "requires_plugins": []string{}, "icons": map[string]string{"default": picture},
		"author": "Les Ateliers", "homepage": "https://wordpress.org/" + p.Slug,
	}
	if p.Kind == Theme {
		d["author"] = map[string]string{"display_name": "Les Ateliers", "user_nicename": "ateliers"}
		d["preview_url"], d["screenshot_url"] = "https://wordpress.org/", picture
		d["sections"], d["tags"] = map[string]string{}, map[string]string{}
	}
	return d
}

// compare tells for what is installed whether the catalogue has another version. WordPress compares exactly as much.
func (s *Server) compare(w http.ResponseWriter, r *http.Request, kind Kind) {
	field := string(kind) + "s"
	var told struct{ Plugins, Themes map[string]map[string]any }
	_ = json.Unmarshal([]byte(r.PostFormValue(field)), &told) // nothing readable: nothing installed
	installed := told.Plugins
	if kind == Theme {
		installed = told.Themes
	}
	news, rest := map[string]any{}, map[string]any{}
	for name, have := range installed {
		p, known := s.installed(kind, name)
		if !known {
			continue
		}
		if p.Version == have["Version"] {
			rest[name] = p.update(name)
			continue
		}
		news[name] = p.update(name)
	}
	tell(w, map[string]any{field: news, "no_update": rest, "translations": []any{}})
}

func (s *Server) installed(kind Kind, name string) (Package, bool) {
	if kind == Plugin {
		name, _, _ = strings.Cut(name, "/")
	}
	return s.find(kind, name)
}

func (p Package) update(name string) map[string]any {
	u := map[string]any{
		"slug": p.Slug, "new_version": p.Version, "package": p.link(p.Version), "url": "https://wordpress.org/" + p.Slug,
		"requires": "6.0", "tested": "6.8", "requires_php": "8.0",
	}
	u[string(p.Kind)] = name
	return u
}

// soap answers one operation, "salut", in the form that PHP's SoapClient reads without a description of the service.
func soap(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	_, _ = w.Write([]byte(`<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>` +
		`<r:salutResponse xmlns:r="urn:standin"><return>bonjour</return></r:salutResponse></s:Body></s:Envelope>`))
}
