package contract

import (
	"iter"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"

	"chatiere/panel/api"
	"chatiere/panel/openapi"
	"chatiere/tenants"
)

var keyed = regexp.MustCompile(patterns[api.HeaderIdempotency].Pattern)

// Check checks everything outside the body: parameters and the idempotency key. The error is tenants.Faults.
func (e Endpoint) Check(query iter.Seq2[[]byte, []byte], key string) error {
	var faults tenants.Faults
	seen := map[string]bool{}
	for key, value := range query {
		name := string(key)
		at := slices.IndexFunc(e.query, func(p openapi.Parameter) bool { return p.Name == name })
		switch {
		case at < 0:
			faults = append(faults, tenants.Fault{Field: name, Code: "unknown"})
		case seen[name]:
			faults = append(faults, tenants.Fault{Field: name, Code: "repeated"})
		default:
			if code := valueFault(e.query[at].Schema, string(value)); code != "" {
				faults = append(faults, tenants.Fault{Field: name, Code: code})
			}
		}
		seen[name] = true
	}
	if key != "" && !keyed.MatchString(key) {
		faults = append(faults, tenants.Fault{Field: api.HeaderIdempotency, Code: "malformed"})
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

// valueFault returns the fault code of a parameter, "" if it is valid or empty.
func valueFault(s openapi.Schema, value string) string {
	switch {
	case value == "":
		return ""
	case s.Type == "integer":
		n, err := strconv.Atoi(value)
		if err != nil || n < *s.Minimum || n > *s.Maximum {
			return "malformed"
		}
	case s.Type == "boolean" && value != "true" && value != "false":
		return "malformed"
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, value):
		return "unknown"
	case s.MaxLength != nil && utf8.RuneCountInString(value) > *s.MaxLength:
		return "too_long"
	}
	return ""
}
