package views

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"

	"chatiere/panel/assets"
)

// functions are what templates may call; T and W are the only ways to words.
func functions(lang string, words *Catalogue, f *formats, static *assets.Set) template.FuncMap {
	return template.FuncMap{
		"T":    words.Say,
		"W":    words.word,
		"step": words.step,
		"lang": func() string { return lang },
		"asset": func(name string) (string, error) {
			if u := static.URL(name); u != "" {
				return u, nil
			}
			return "", fmt.Errorf("no asset %q", name)
		},
		"other":    func(b Base) string { return otherLanguage(lang, b.Path) },
		"nav":      navigation,
		"notices":  notices,
		"common":   func(p Page) Base { return p.common() },
		"badge":    func(family string, state any) (Badge, error) { return newBadge(words, family, state) },
		"num":      f.Number,
		"int":      func(n int) int64 { return int64(n) },
		"size":     f.Size,
		"date":     f.Date,
		"dateTime": f.DateTime,
		"when":     f.When,
		"ago":      f.Ago,
		"clock":    f.Clock,
		"second":   f.Second,
		"took":     f.Took,
		"iso":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },

		"sitePath":        SitePath,
		"restorePath":     RestorePath,
		"egressPath":      EgressPath,
		"associationPath": AssociationPath,
		"journalPath":     JournalPath,
		"operationPath":   OperationPath,
		"personPath":      PersonPath,
		"sessionEndPath":  SessionEndPath,
		"revokePath":      RevokePath,
		"newSitePath":     newSitePath,
		"withReturn":      withReturn,
		"contact":         contactURL,
		"spell":           words.spell,
		"finding":         words.finding,
		"advice":          words.advice,
		"someone":         words.someone,
		"detail":          words.detail,
		"list":            func(v ...any) []any { return v },
	}
}

// NavItem is one word of the navigation.
type NavItem struct {
	Area    Area
	Path    string
	Current bool
}

// navigation lists the entries a role has, at most six.
func navigation(p Page) []NavItem {
	user := p.common().User
	if user == nil {
		return nil
	}
	var items []NavItem
	for _, area := range areasOf(user.Role) {
		items = append(items, NavItem{Area: area, Path: areaPaths[area], Current: area == p.area()})
	}
	return items
}

// notices leaves out what Today already tells as something that needs the reader.
func notices(p Page) []Notice {
	today, ok := p.(Today)
	if !ok {
		return p.common().Notices
	}
	told := map[NoticeKind]bool{}
	for _, n := range today.Needs {
		told[NoticeWorkPaused] = told[NoticeWorkPaused] || n.Kind == NeedWorker
		told[NoticeIdentityDown] = told[NoticeIdentityDown] || n.Kind == NeedIdentity
	}
	var kept []Notice
	for _, n := range today.Notices {
		if !told[n.Kind] {
			kept = append(kept, n)
		}
	}
	return kept
}

var areaPaths = map[Area]string{
	AreaToday: PathHome, AreaMySites: PathHome, AreaSites: PathSites, AreaAssociations: PathAssociations,
	AreaBin: PathBin, AreaPlatform: PathPlatform, AreaAccount: PathAccount,
}

func areasOf(r Role) []Area {
	switch r {
	case RoleAdmin:
		return []Area{AreaToday, AreaSites, AreaAssociations, AreaBin, AreaPlatform, AreaAccount}
	case RoleManager:
		return []Area{AreaMySites, AreaBin, AreaAccount}
	}
	return []Area{AreaMySites, AreaAccount}
}

// otherLanguage leads to the same page in the other language.
func otherLanguage(lang, path string) string {
	other := English
	if lang == English {
		other = French
	}
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, "/") {
		u = &url.URL{Path: PathHome}
	}
	q := u.Query()
	q.Set("lang", other)
	return u.EscapedPath() + "?" + q.Encode() // decoded, "/%2Fevil" would lead to another host
}

func withReturn(path, back string) string {
	if back == "" {
		return path
	}
	return path + "?" + url.Values{"return": {back}}.Encode()
}

// contactURL makes an e-mail address or a web address something to follow.
func contactURL(contact string) string {
	if u, err := url.Parse(contact); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		return contact
	}
	return "mailto:" + contact
}
