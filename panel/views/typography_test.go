package views_test

import (
	"regexp"
	"strings"
	"testing"

	"chatiere/panel/views"
	"chatiere/panel/views/viewstest"

	"golang.org/x/net/html"
)

// french lists what French typography forbids.
var french = map[string]*regexp.Regexp{
	"no non-breaking space before : ; ! ? % »": regexp.MustCompile(`[^\x{a0}\s:;!?/0-9][:;!?»%]|[ \t][:;!?»%]`),
	"no non-breaking space after «":            regexp.MustCompile(`«[^\x{a0}]`),
	"a straight apostrophe":                    regexp.MustCompile(`'`),
	"straight double quotes":                   regexp.MustCompile(`"`),
	"three dots for an ellipsis":               regexp.MustCompile(`\.\.\.`),
	"two spaces in a row":                      regexp.MustCompile(`[ \x{a0}]{2}`),
	"n° without a non-breaking space":          regexp.MustCompile(`n°[^\x{a0}]`),
}

func TestFrenchTextsFollowFrenchTypography(t *testing.T) {
	c := catalogue(t, views.French)
	for _, key := range c.Keys() {
		text, _ := c.Text(key)
		for _, form := range []string{text.One, text.Other} {
			for rule, forbidden := range french {
				if m := forbidden.FindString(form); m != "" {
					t.Errorf("%s: %s (%q in %q)", key, rule, m, form)
				}
			}
		}
	}
}

func TestTypographyRulesCatchMistakes(t *testing.T) {
	for _, wrong := range []string{"Quoi ?", "Quoi?", "Oui: non", "« oui »", "l'air", "50 %", "etc..."} {
		caught := false
		for _, forbidden := range french {
			caught = caught || forbidden.MatchString(wrong)
		}
		if !caught {
			t.Errorf("%q passes", wrong)
		}
	}
}

func TestEnglishTextsHaveNoFrenchSpacing(t *testing.T) {
	wrong := regexp.MustCompile(`[\s\x{a0}][:;!?%]|'|"`)
	c := catalogue(t, views.English)
	for _, key := range c.Keys() {
		if text, _ := c.Text(key); wrong.MatchString(text.Other) {
			t.Errorf("%s: %q", key, text.Other)
		}
	}
}

// members are the words that pages for members never say.
var members = regexp.MustCompile(`(?i)(?:^|\PL)(conteneurs?|containers?|volumes?|images?|tokens?|jetons?|snapshots?|docker|keycloak|erreurs?|errors?|uid|tu|ton|ta|tes)(?:\PL|$)`)

func TestPagesForMembersKeepTechnicalWordsAway(t *testing.T) {
	for _, story := range viewstest.Stories() {
		if _, ok := story.Page.(views.Platform); ok {
			continue // volunteers alone see it
		}
		for _, lang := range views.Languages() {
			page := render(t, lang, story.Page)
			if strings.Contains(page, `class="pairs"`) {
				continue // a volunteer asked for technical details
			}
			if m := members.FindString(visible(t, page)); m != "" {
				t.Errorf("%s (%s) says %q", story.Name, lang, m)
			}
		}
	}
}

// visible is what a page shows as text.
func visible(t *testing.T, page string) string {
	t.Helper()
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return b.String()
		case html.TextToken:
			b.Write(z.Text())
			b.WriteByte(' ')
		}
	}
}
