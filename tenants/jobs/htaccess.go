package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode"

	"chatiere/tenants"
)

// accessPath is where an image reports the .htaccess rules of the site that it cannot apply (docs/formats.md).
const accessPath = "/__htaccess"

const (
	maxAccessFiles = 3  // named in one finding
	maxAccessText  = 80 // signs of each
)

// Reader reads a small response from a site.
type Reader interface {
	Read(ctx context.Context, s tenants.Site, path string) (status int, body []byte, err error)
}

// Findings stores findings.
type Findings interface {
	Replace(ctx context.Context, scope tenants.FindingScope, seen []tenants.Finding) error
}

// AccessRules makes a finding for each ready site whose .htaccess files cannot be applied completely. A site that does not
// answer keeps its last report: Pulse reports that it is silent.
func (u *Jobs) AccessRules(ctx context.Context) error {
	var mu sync.Mutex
	reports := map[string]htaccessReport{}
	err := u.forLiveSites(ctx, tenants.StateReady, func(ctx context.Context, s tenants.Site) error {
		u.mu.Lock()
		last := u.access[s.ID]
		u.mu.Unlock()
		now := u.readAccessRules(ctx, s, last)
		mu.Lock()
		defer mu.Unlock()
		reports[s.ID] = now
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	u.mu.Lock()
	u.access = reports
	u.mu.Unlock()
	var seen []tenants.Finding
	for _, id := range slices.Sorted(maps.Keys(reports)) {
		if reports[id].files != "" {
			seen = append(seen, tenants.Finding{
				Area: tenants.AreaSite, Subject: id, Code: tenants.FindingAccessRules, Level: tenants.LevelAttention,
				Args: map[string]string{"files": reports[id].files},
			})
		}
	}
	return u.Findings.Replace(ctx, tenants.FindingScope{Area: tenants.AreaSite, Codes: []tenants.FindingCode{tenants.FindingAccessRules}}, seen)
}

// htaccessReport is the last report of a site.
type htaccessReport struct {
	files         string
	unsupportedBy string // the release that does not support accessPath, so that a request would reach the application
}

// readAccessRules returns the site's present report, or the last one if it does not answer.
func (u *Jobs) readAccessRules(ctx context.Context, s tenants.Site, last htaccessReport) htaccessReport {
	if last.unsupportedBy != "" && last.unsupportedBy == s.Release.ID {
		return last
	}
	ctx, cancel := context.WithTimeout(ctx, pulseTimeout)
	defer cancel()
	status, body, err := u.Sites.Read(ctx, s, accessPath)
	switch {
	case err != nil:
		return last
	case status == http.StatusNotFound:
		return htaccessReport{unsupportedBy: s.Release.ID}
	case status != http.StatusOK:
		return last
	}
	var rules map[string]string
	if err := json.Unmarshal(body, &rules); err != nil {
		u.Log.WarnContext(ctx, "a site's report about access rules is malformed", "site", s.ID, "error", err)
		return last
	}
	return htaccessReport{files: summarize(rules)}
}

// summarize lists a few of the files. The site chooses the text, so it is reduced to printable characters.
func summarize(rules map[string]string) string {
	var named []string
	for _, file := range slices.Sorted(maps.Keys(rules)) {
		if len(named) == maxAccessFiles {
			named = append(named, fmt.Sprintf("+ %d", len(rules)-maxAccessFiles))
			break
		}
		text := file
		if rules[file] != "" {
			text += " (" + rules[file] + ")"
		}
		named = append(named, printable(text))
	}
	return strings.Join(named, ", ")
}

func printable(text string) string {
	runes := []rune(strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) && r != unicode.ReplacementChar {
			return r
		}
		return -1
	}, text))
	return string(runes[:min(len(runes), maxAccessText)])
}
