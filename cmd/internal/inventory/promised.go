package inventory

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"chatiere/panel/api"
	"chatiere/tenants"
)

// siteDatabase is a site's database or the user of it.
var siteDatabase = regexp.MustCompile(`site_s[0-9a-hj-km-np-tv-z]{9}`)

// siteInName is a site's id somewhere in a name or path.
var siteInName = regexp.MustCompile(`(^|[-/])s[0-9a-hj-km-np-tv-z]{9}([ ./]|$)`)

// ofSites tells the sites' things from the platform's, by their form alone.
func ofSites(thing string) bool {
	kind, rest, _ := strings.Cut(thing, " ")
	switch kind {
	case "container":
		return strings.Contains(rest, "-s") && siteInName.MatchString(rest)
	case "route":
		return !strings.HasPrefix(rest, "panel.") && !strings.HasPrefix(rest, "id.")
	case "database", "user", "grant":
		return siteDatabase.MatchString(rest)
	case "path":
		return siteInName.MatchString(rest)
	}
	return false
}

// Against compares what is there with what the sites' states promise: things nobody promised, and promised things that
// are not there.
func (m Machine) Against(there []string, sites []api.Site) (leftOver, missing []string, err error) {
	want := map[string]bool{}
	for _, s := range sites {
		things, err := m.promised(s)
		if err != nil {
			return nil, nil, err
		}
		for _, thing := range things {
			want[thing] = true
		}
	}
	for _, thing := range there {
		if ofSites(thing) && !want[thing] {
			leftOver = append(leftOver, thing)
		}
		delete(want, thing)
	}
	for thing := range want {
		missing = append(missing, thing)
	}
	return leftOver, missing, nil
}

// promised lists what a site in its state is made of.
func (m Machine) promised(s api.Site) ([]string, error) {
	if s.Release == nil {
		return nil, fmt.Errorf("site %s has no release", s.ID)
	}
	p, db := m.Config.Paths(), tenants.DatabaseName(s.ID, s.Release.Generation)
	things := []string{"database " + db, "user " + db + "@localhost", "grant " + db + "@localhost " + db}
	for _, path := range []string{
		p.Site(s.ID), p.SiteData(s.ID), p.SiteSecrets(s.ID), p.App(s.ID), p.AppHTTPDir(s.ID, s.Release.Sockets), p.AppGateDir(s.ID, s.Release.Sockets),
	} {
		things = append(things, "path "+path)
	}
	if s.Release.Sockets != "" {
		things = append(things, "path "+filepath.Join(p.App(s.ID), s.Release.Sockets))
	}
	for _, secret := range []string{"admin_password", "db_password", "entry.json", "secret_key"} {
		things = append(things, "path "+filepath.Join(p.SiteSecrets(s.ID), secret))
	}
	container := "container " + s.Release.Containers[0]
	switch s.State {
	case "ready":
		return append(things, container+" running", "route "+s.Host+" serving", "path "+p.Egress(s.ID)), nil
	case "suspended":
		return append(things, container+" exited", "route "+s.Host+" refused", "path "+p.Egress(s.ID)), nil
	case "binned":
		return append(things, "route "+s.Host+" refused"), nil
	}
	return nil, fmt.Errorf("site %s is %s: no state to end in", s.ID, s.State)
}
