package views

import (
	"strings"
	"time"
)

// Finding is something the platform noticed, as people are told it.
type Finding struct {
	Code  string            // its words are "finding.<code>" and, if there is something to do, "finding.<code>.do"
	Args  map[string]string // fill {names} in the words
	Level FindingLevel
	About string // a site's address, a part of the platform
	Path  string // where to look; "" hides the link
	Since time.Time
	Ended time.Time // zero: it still holds
}

// FindingLevel is how much a finding matters.
type FindingLevel string

// The levels of findings.
const (
	FindingNote      FindingLevel = "note"
	FindingAttention FindingLevel = "attention"
	FindingTrouble   FindingLevel = "trouble"
)

// Tell puts what a finding says and what to do about it into words, for answers that are no pages; do is "" when there
// is nothing to do. A code without words is told by its name: a newer worker may know more than we do.
func (s *Set) Tell(lang, code string, args map[string]string) (says, do string) {
	words := s.language(lang).words
	return words.finding(code, args), words.advice(code, args)
}

func (c *Catalogue) finding(code string, args map[string]string) string {
	t, ok := c.texts["finding."+code]
	if !ok {
		return code
	}
	return fill(t.Other, args)
}

func (c *Catalogue) advice(code string, args map[string]string) string {
	return fill(c.texts["finding."+code+".do"].Other, args)
}

// fill replaces {names} by their values.
func fill(text string, args map[string]string) string {
	pairs := make([]string, 0, 2*len(args))
	for name, value := range args {
		pairs = append(pairs, "{"+name+"}", value)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
