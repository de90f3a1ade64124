package upkeep

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

// accessPath is where an image tells which access rules of its site's own files it cannot follow (docs/formats.md).
const accessPath = "/__htaccess"

const (
	maxAccessFiles = 3  // named in one finding
	maxAccessText  = 80 // signs of each
)

// Reader asks a site for a whole small answer.
type Reader interface {
	Read(ctx context.Context, s tenants.Site, path string) (status int, body []byte, err error)
}

// Findings is where upkeep tells what people should know.
type Findings interface {
	Replace(ctx context.Context, scope tenants.FindingScope, seen []tenants.Finding) error
}

// AccessRules makes a finding of each ready site whose .htaccess files cannot be followed in full. A site that does not
// answer keeps what it said last: that it is silent is told elsewhere.
func (u *Upkeep) AccessRules(ctx context.Context) error {
	var mu sync.Mutex
	said := map[string]string{}
	err := u.each(ctx, tenants.StateReady, func(ctx context.Context, s tenants.Site) error {
		u.mu.Lock()
		files := u.access[s.ID]
		u.mu.Unlock()
		if now, answered := u.accessFiles(ctx, s); answered {
			files = now
		}
		mu.Lock()
		defer mu.Unlock()
		said[s.ID] = files
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	u.mu.Lock()
	u.access = said
	u.mu.Unlock()
	var seen []tenants.Finding
	for _, id := range slices.Sorted(maps.Keys(said)) {
		if said[id] != "" {
			seen = append(seen, tenants.Finding{
				Area: tenants.AreaSite, Subject: id, Code: tenants.FindingAccessRules, Level: tenants.LevelAttention,
				Args: map[string]string{"files": said[id]},
			})
		}
	}
	return u.Findings.Replace(ctx, tenants.FindingScope{Area: tenants.AreaSite, Codes: []tenants.FindingCode{tenants.FindingAccessRules}}, seen)
}

func (u *Upkeep) accessFiles(ctx context.Context, s tenants.Site) (files string, answered bool) {
	ctx, cancel := context.WithTimeout(ctx, pulseTime)
	defer cancel()
	status, body, err := u.Sites.Read(ctx, s, accessPath)
	switch {
	case err != nil:
		return "", false
	case status == http.StatusNotFound:
		return "", true // an image without it
	case status != http.StatusOK:
		return "", false
	}
	var rules map[string]string
	if err := json.Unmarshal(body, &rules); err != nil {
		u.Log.WarnContext(ctx, "a site tells its access rules in no form we know", "site", s.ID, "error", err)
		return "", false
	}
	return accessText(rules), true
}

// accessText names a few of the files. They are the site's own words: nothing that could disturb a line stays in them.
func accessText(rules map[string]string) string {
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
		named = append(named, plain(text))
	}
	return strings.Join(named, ", ")
}

func plain(text string) string {
	runes := []rune(strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) && r != unicode.ReplacementChar {
			return r
		}
		return -1
	}, text))
	return string(runes[:min(len(runes), maxAccessText)])
}
