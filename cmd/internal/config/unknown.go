package config

import (
	"fmt"
	"slices"
	"strings"
)

// unknownKey is the fault for a key that nobody reads, with the nearest one that somebody does.
func unknownKey(path, where string) Fault {
	f := Fault{Key: path, Where: where, Problem: "no such key"}
	if near := nearest(path, names()); near != "" {
		f.Problem = fmt.Sprintf("no such key; did you mean %s?", near)
		if k, ok := findKey(near); ok {
			f.Expected, f.Example = k.expect, k.sample(where)
		}
		return f
	}
	parent, _, nested := cutLast(path)
	if !nested {
		parent = ""
	}
	f.Expected = "one of " + strings.Join(children(parent), ", ")
	return f
}

// names lists keys and their sections.
func names() []string {
	var out []string
	for _, k := range keys {
		for parent, _, ok := cutLast(k.path); ok; parent, _, ok = cutLast(parent) {
			if !slices.Contains(out, parent) {
				out = append(out, parent)
			}
		}
		out = append(out, k.path)
	}
	return out
}

// children lists what may stand directly below a section, or at the top for "".
func children(section string) []string {
	var out []string
	for _, k := range keys {
		rest, below := k.path, true
		if section != "" {
			rest, below = strings.CutPrefix(k.path, section+".")
		}
		name, _, _ := strings.Cut(rest, ".")
		if below && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func cutLast(path string) (before, after string, found bool) {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return path, "", false
	}
	return path[:i], path[i+1:], true
}

// nearest returns the candidate that takes the fewest single-letter changes, or "" when none is near. A path that
// went to the wrong section ("coop.domain") is near the key of the same last name.
func nearest(path string, candidates []string) string {
	best, bestCost := "", max(1, len(path)/3)+1
	_, last, _ := cutLast(path)
	for _, c := range candidates {
		cost := distance(path, c)
		if _, l, _ := cutLast(c); last != "" && (l == last || c == last) {
			cost = min(cost, 2)
		}
		if cost < bestCost {
			best, bestCost = c, cost
		}
	}
	return best
}

// distance is Levenshtein's, on bytes: keys are ASCII.
func distance(a, b string) int {
	if len(a) > 200 {
		return len(a) // nobody misspells that much
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
