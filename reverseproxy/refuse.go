package reverseproxy

import (
	"net/http"
	"net/url"
	"path"
	"strings"

	"chatiere/reverseproxy/pages"
)

// refuse answers the paths that the route's template wants hidden. A path is judged in every form in
// which some program behind might read it.
func refuse(p *pages.Pages, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entry := stateOf(w).entry
		if len(entry.Refuse) == 0 && !strings.Contains(r.URL.Path, "%") {
			next.ServeHTTP(w, r)
			return
		}
		forms, ok := pathForms(r.URL.Path)
		if !ok {
			p.Serve(w, r, pages.BadRequest, entry.Lang)
			return
		}
		for _, form := range forms {
			if entry.Refuses(form) {
				p.Serve(w, r, pages.NotFound, entry.Lang)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// maxDecodings is how often a path may have been encoded over. Beyond, it is an attack.
const maxDecodings = 4

// pathForms returns the forms of a path that was decoded once. It reports false for a path that hides
// a zero byte or is encoded too many times.
func pathForms(decoded string) ([]string, bool) {
	if decoded == "/" || plainPath(decoded) {
		return []string{decoded}, true
	}
	if short, slash := strings.CutSuffix(decoded, "/"); slash && plainPath(short) {
		return []string{short, decoded}, true
	}
	var forms []string
	for range maxDecodings {
		if strings.IndexByte(decoded, 0) >= 0 {
			return nil, false
		}
		forms = appendForms(forms, decoded)
		again, err := url.PathUnescape(decoded)
		if err != nil || again == decoded {
			return forms, true
		}
		decoded = again
	}
	return nil, false
}

// plainPath reports whether there is only one way to read a path that does not end in a slash.
func plainPath(s string) bool {
	for i := range len(s) {
		switch s[i] {
		case '%', '\\', 0, ' ', ';':
			return false
		case '/':
			if i+1 == len(s) || s[i+1] == '/' || s[i+1] == '.' {
				return false
			}
		case '.':
			if i+1 == len(s) || s[i+1] == '/' {
				return false
			}
		}
	}
	return true
}

// appendForms adds the path as it is cleaned, with and without its last slash, with backslashes taken
// for slashes, without parameters after a semicolon, and without dots and spaces at the end of names.
func appendForms(forms []string, s string) []string {
	for _, form := range []string{s, strings.ReplaceAll(s, `\`, "/"), withoutParameters(s), trimmedNames(s)} {
		cleaned := path.Clean("/" + form)
		forms = append(forms, cleaned)
		if cleaned != "/" && strings.HasSuffix(form, "/") {
			forms = append(forms, cleaned+"/")
		}
	}
	return forms
}

func withoutParameters(s string) string {
	return eachName(s, func(name string) string {
		name, _, _ = strings.Cut(name, ";")
		return name
	})
}

func trimmedNames(s string) string {
	return eachName(strings.ReplaceAll(s, `\`, "/"), func(name string) string {
		if strings.Trim(name, ".") == "" {
			return name // "." and ".." have a meaning of their own
		}
		return strings.TrimRight(name, ". ")
	})
}

func eachName(s string, change func(string) string) string {
	names := strings.Split(s, "/")
	for i, name := range names {
		names[i] = change(name)
	}
	return strings.Join(names, "/")
}
