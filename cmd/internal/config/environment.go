package config

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	variablePrefix = "CHATIERE_"
	// environmentWord begins the Where of what came from the environment.
	environmentWord = "environment "
)

// Variable returns the name of the environment variable that overrides a key.
func Variable(path string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// readEnvironment lets variables override the file. Other CHATIERE_ variables are left alone (the CLI has its own),
// unless one looks like a misspelt key: an override that is silently ignored costs an evening.
func (l *loading) readEnvironment(env []string) {
	known := map[string]key{}
	var all []string
	for _, k := range keys {
		known[Variable(k.path)] = k
		all = append(all, Variable(k.path))
	}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, variablePrefix) {
			continue
		}
		where := environmentWord + name
		if k, ok := known[name]; ok {
			l.set(k, where, assignVariable(k.into(&l.config), value))
			continue
		}
		if near := nearMiss(name, all); near != "" {
			f := known[near].fault(where, fmt.Sprintf("no such variable; did you mean %s?", near))
			f.Key = name
			l.faults = append(l.faults, f)
		}
	}
}

// nearMiss returns the variable that is at most two letters away.
func nearMiss(name string, all []string) string {
	for _, v := range all {
		if distance(name, v) <= 2 {
			return v
		}
	}
	return ""
}

// assignVariable puts a variable's text into a field; lists are separated by commas.
func assignVariable(field any, value string) string {
	var err error
	switch f := field.(type) {
	case *string:
		*f = value
	case *int:
		*f, err = strconv.Atoi(value)
	case *float64:
		*f, err = strconv.ParseFloat(value, 64)
	case *bool:
		*f, err = strconv.ParseBool(value)
	case *[]string:
		*f = splitList(value)
	}
	if err != nil {
		return fmt.Sprintf("found %q", value)
	}
	return ""
}

func splitList(value string) []string {
	var out []string
	for part := range strings.SplitSeq(value, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// lookup returns the last value of a variable, as the shell would.
func lookup(env []string, name string) string {
	value := ""
	for _, entry := range env {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value = v
		}
	}
	return value
}
