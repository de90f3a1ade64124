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
	said := map[string]accessAnswer{}
	err := u.each(ctx, tenants.StateReady, func(ctx context.Context, s tenants.Site) error {
		u.mu.Lock()
		last := u.access[s.ID]
		u.mu.Unlock()
		now := u.askAccess(ctx, s, last)
		mu.Lock()
		defer mu.Unlock()
		said[s.ID] = now
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
		if said[id].files != "" {
			seen = append(seen, tenants.Finding{
				Area: tenants.AreaSite, Subject: id, Code: tenants.FindingAccessRules, Level: tenants.LevelAttention,
				Args: map[string]string{"files": said[id].files},
			})
		}
	}
	return u.Findings.Replace(ctx, tenants.FindingScope{Area: tenants.AreaSite, Codes: []tenants.FindingCode{tenants.FindingAccessRules}}, seen)
}

// accessAnswer is what a site said last.
type accessAnswer struct {
	files string
	dumb  string // the image that does not know the question: its application would have to answer it
}

// askAccess returns what holds now. A site that does not answer said what it said last.
func (u *Upkeep) askAccess(ctx context.Context, s tenants.Site, last accessAnswer) accessAnswer {
	if last.dumb != "" && last.dumb == s.ImageID {
		return last
	}
	ctx, cancel := context.WithTimeout(ctx, pulseTime)
	defer cancel()
	status, body, err := u.Sites.Read(ctx, s, accessPath)
	switch {
	case err != nil:
		return last
	case status == http.StatusNotFound:
		return accessAnswer{dumb: s.ImageID}
	case status != http.StatusOK:
		return last
	}
	var rules map[string]string
	if err := json.Unmarshal(body, &rules); err != nil {
		u.Log.WarnContext(ctx, "a site tells its access rules in no form we know", "site", s.ID, "error", err)
		return last
	}
	return accessAnswer{files: accessText(rules)}
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
