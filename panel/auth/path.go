package auth

import (
	"net/url"
	"strings"
)

// maxReturn bounds what a link may make us store.
const maxReturn = 1024

// LocalPath returns path if it is one of our own to come back to, else "/". A browser reads "//host" and "/\host" as
// other hosts and drops tabs and line ends on the way, so anything but plain paths is refused.
func LocalPath(path string) string {
	if len(path) > maxReturn || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return "/"
	}
	for _, c := range path {
		if c <= ' ' || c == '\\' || c == 0x7f {
			return "/"
		}
	}
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, "\\") {
		return "/"
	}
	if strings.HasPrefix(u.Path, "/auth/") {
		return "/" // signing in must not end in signing out, or in a loop
	}
	return path
}
